"""Speaking in two halves, and what the ASR server has received by then."""

from __future__ import annotations

from typing import Final

from dispatcher.device_simulator import DeviceOptions, packets_of
from tests.integration.streaming_asr.conftest import StreamingAsr
from tests.support.device import SPEECH, Device
from tests.support.services.funasr import CHUNK_BYTES
from tests.support.waiting import soon

SPOKEN: Final = packets_of(SPEECH, DeviceOptions())
HALF: Final = len(SPOKEN) // 2
# One packet, decoded.
PACKET_BYTES: Final = 60 * 32
# What the FunASR servers make of it: a word for each 600 ms.
WORDS: Final = "今天天气。"


async def begin(device: Device) -> None:
    """Push the button and say the first half."""
    device.new_turn()
    await device.listen("start", mode="manual")
    await device.send_packets(SPOKEN[:HALF])


async def end(device: Device) -> None:
    """Say the rest and release the button."""
    await device.send_packets(SPOKEN[HALF:])
    await device.listen("stop")


async def has_heard_half(servers: StreamingAsr, number: int, *, packets: int = HALF) -> None:
    """Wait until a FunASR server has heard the first half of what is said, and no end."""

    async def heard() -> bool:
        # The last entry of two packets may not be full yet.
        told = servers.heard(number)
        return bool(told) and told[-1]["bytes"] >= (packets - 2) * PACKET_BYTES and not told[-1]["ended"]

    await soon(heard, what="the first half is heard while the user speaks")


async def is_picked_and_heard(servers: StreamingAsr, *, picks: int) -> None:
    """Wait for one pick more than so many, and for a text of the first half if it is the FunASR server's."""

    async def heard() -> bool:
        picked = servers.picks()[picks:]
        if not picked or picked[0] == "whole-1":
            return bool(picked)
        told = servers.heard(1)[-1]
        return not told["ended"] and told["bytes"] >= CHUNK_BYTES

    await soon(heard, what="the instance is picked and has heard what it needs")


async def nothing_is_held(servers: StreamingAsr) -> None:
    """Wait until no slot is held and no connection to a FunASR server that runs is open."""

    async def at_rest() -> bool:
        open_ones = [
            told for server in servers.funasr if server.runs for told in server.heard() if told["open"]
        ]
        return servers.stack.leases() == 0 and not open_ones

    await soon(at_rest, what="all is given back")
