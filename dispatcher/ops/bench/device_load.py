"""Load of many devices in one process: `python -m dispatcher.ops.bench.device_load`, with a plan on stdin.

The devices are cheap: the speech is encoded once for all, and nothing that comes back is decoded;
their decode queues are modelled in full.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import aiohttp

from dispatcher.device_simulator import Address, DeviceOptions, SimulatedDevice, connect, paced
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import DispatcherError
from dispatcher.ops.bench.device_speech import speech_pcm
from dispatcher.ops.bench.measuring_process import carry_out, report_turn
from dispatcher.ops.bench.samples import Samples, TurnSample
from dispatcher.ops.talk.apology_reason import is_apology

PAUSE_S: Final = (0.5, 1.0)
# A front that is silent for so long in the middle of a turn has lost it.
TURN_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLoadPlan:
    """Extent of the load of one process.

    Attributes:
        url: the front's WebSocket.
        devices: how many speak.
        turns: measured turns of each, after one that warms it up.
        ramp_s: pause between the starts of two devices.
        seed: of the pauses between turns.
        is_auto: the devices send silence after their speech, and not that it ended.
    """

    url: str
    devices: int
    turns: int
    ramp_s: float = 0.05
    is_auto: bool = False
    seed: int = 1


class DeviceLoad:
    """The devices of one run."""

    def __init__(self, plan: DeviceLoadPlan, session: aiohttp.ClientSession) -> None:
        """Encode the speech that all of them say."""
        self._plan = plan
        self._session = session
        self._address = Address(url=plan.url)
        self._options = DeviceOptions(keep_audio=False, mode="auto" if plan.is_auto else "manual")
        self._speech = encode(speech_pcm(), self._options)
        self._turns: list[TurnSample] = []
        self._lost: list[str] = []
        self._done = 0

    async def run(self) -> Samples:
        """Let every device speak its turns and return the samples."""
        begun_cpu_s = time.process_time()
        async with asyncio.TaskGroup() as group:
            for number in range(self._plan.devices):
                group.create_task(self._use_device(number))
        return Samples(
            turns=tuple(self._turns),
            lost=tuple(self._lost),
            all_turns=self._done,
            cpu_s=time.process_time() - begun_cpu_s,
        )

    async def _use_device(self, number: int) -> None:
        rng = random.Random(f"{self._plan.seed} {number}")  # noqa: S311  pauses, not secrets
        options = replace(self._options, device_id=f"02:be:00:00:{number >> 8:02x}:{number & 255:02x}")
        await asyncio.sleep(number * self._plan.ramp_s)
        upcoming = deque(range(1 + self._plan.turns))
        while upcoming:
            await self._use_connection(options, rng, upcoming)

    async def _use_connection(self, options: DeviceOptions, rng: random.Random, upcoming: deque[int]) -> None:
        """Hold turns until there are none, or the connection breaks, which costs the turn."""
        number = upcoming.popleft()
        try:
            async with connect(self._session, self._address, options) as device:
                while True:
                    await self._hold_turn(device, is_warm=number > 0)
                    if not upcoming:
                        return
                    await asyncio.sleep(rng.uniform(*PAUSE_S))
                    number = upcoming.popleft()
        except DispatcherError as error:
            self._lost.append(str(error))
            self._count()

    async def _hold_turn(self, device: SimulatedDevice, *, is_warm: bool) -> None:
        speech = paced(self._speech, self._options.frame_ms)
        result = await device.turn(speech, timeout_s=TURN_TIMEOUT_S)
        sample = TurnSample.of(result)
        if sample is None or is_apology(result):
            self._lost.append("answered with an apology" if is_apology(result) else "not answered")
        elif is_warm:
            self._turns.append(sample)
        self._count()

    def _count(self) -> None:
        self._done += 1
        report_turn()


async def run(plan: DeviceLoadPlan) -> Samples:
    """Run the devices of a plan."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        load = DeviceLoad(plan, session)
        gc.freeze()
        return await load.run()


async def _run(fields: dict[str, Any]) -> dict[str, Any]:
    return asdict(await run(DeviceLoadPlan(**fields)))


if __name__ == "__main__":
    carry_out(_run)
