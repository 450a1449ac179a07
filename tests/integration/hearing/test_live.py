"""A device speaks to ears that hear live: what they hear, and when, and what becomes of it."""

from __future__ import annotations

from dispatcher.softdevice import DeviceOptions, packets_of
from tests.integration.hearing.conftest import Ears
from tests.support.device import SPEECH, Device
from tests.support.instances import SENTENCES
from tests.support.waiting import soon

SPOKEN = packets_of(SPEECH, DeviceOptions())
HALF = len(SPOKEN) // 2
PACKET_BYTES = 60 * 32


async def begin(device: Device) -> None:
    """Push the button and say the first half."""
    device.new_turn()
    await device.listen("start", mode="manual")
    await device.send_packets(SPOKEN[:HALF])


async def end(device: Device) -> None:
    """Say the rest and release the button."""
    await device.send_packets(SPOKEN[HALF:])
    await device.listen("stop")


async def hears_half(ears: Ears, number: int, *, since: int = 0) -> None:
    """Wait until a FunASR server has heard half of what is said, and no end."""
    server = ears.funasr[number - 1]

    async def heard() -> bool:
        told = server.heard()[since:]
        return bool(told) and told[-1]["bytes"] >= (HALF - 2) * PACKET_BYTES and not told[-1]["ended"]

    await soon(heard, what="the first half is heard while the user speaks")


async def test_packets_flow_while_the_user_speaks_and_the_chain_answers(ears: Ears) -> None:
    await ears.in_force(ears.live(1))
    since = len(ears.funasr[0].heard())
    async with ears.stack.front.device("live-speaker") as device:
        await begin(device)
        await hears_half(ears, 1, since=since)
        assert not device.of_this_turn
        assert ears.stack.leases() == 1
        await end(device)
        answer = await device.answer()
    (told,) = ears.funasr[0].heard()[since:]
    assert (told["bytes"], told["ended"]) == (len(SPOKEN) * PACKET_BYTES, True)
    assert answer.transcript == "今天天气。"
    assert answer.sentences == SENTENCES
