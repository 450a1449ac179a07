"""Many devices in one process: `python -m dispatcher.ops.bench.generator`, with a plan on stdin.

The devices are cheap: the speech is encoded once for all, and nothing that comes back is decoded;
their decode queues are modelled in full.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections import deque
from dataclasses import replace
from typing import Final

import aiohttp
import uvloop

from dispatcher.device_simulator import Address, DeviceOptions, SimulatedDevice, connect, paced
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import DispatcherError
from dispatcher.ops.bench.device_speech import is_apology, speech_pcm
from dispatcher.ops.bench.samples import GeneratorPlan, Samples, TurnSample
from dispatcher.ops.bench.subprocess import read_plan, say_result, say_turn

THINK_S: Final = (0.5, 1.0)
# A front that is silent for so long in the middle of a turn has lost it.
PATIENCE_S: Final = 20.0


class Generator:
    """The devices of one run."""

    def __init__(self, plan: GeneratorPlan, session: aiohttp.ClientSession) -> None:
        """Encode the speech that all of them say."""
        self._plan = plan
        self._session = session
        self._address = Address(url=plan.url)
        self._options = DeviceOptions(keep_audio=False)
        self._speech = encode(speech_pcm(), self._options)
        self._turns: list[TurnSample] = []
        self._lost: list[str] = []
        self._done = 0

    async def run(self) -> Samples:
        """Let every device speak its turns and return what they heard."""
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
        dice = random.Random(f"{self._plan.seed} {number}")  # noqa: S311  pauses, not secrets
        options = replace(self._options, device_id=f"02:be:00:00:{number >> 8:02x}:{number & 255:02x}")
        await asyncio.sleep(number * self._plan.ramp_s)
        upcoming = deque(range(1 + self._plan.turns))
        while upcoming:
            await self._use_connection(options, dice, upcoming)

    async def _use_connection(
        self, options: DeviceOptions, dice: random.Random, upcoming: deque[int]
    ) -> None:
        """Hold turns until there are none, or the connection breaks, which costs the turn."""
        number = upcoming.popleft()
        try:
            async with connect(self._session, self._address, options) as device:
                while True:
                    await self._hold_turn(device, is_warm=number > 0)
                    if not upcoming:
                        return
                    await asyncio.sleep(dice.uniform(*THINK_S))
                    number = upcoming.popleft()
        except DispatcherError as error:
            self._lose(str(error))

    async def _hold_turn(self, device: SimulatedDevice, *, is_warm: bool) -> None:
        speech = paced(self._speech, self._options.frame_ms)
        result = await device.turn(speech, timeout_s=PATIENCE_S)
        sample = TurnSample.of(result)
        if sample is None or is_apology(result):
            self._lose("answered with an apology" if is_apology(result) else "not answered")
            return
        self._count()
        if is_warm:
            self._turns.append(sample)

    def _lose(self, reason: str) -> None:
        self._lost.append(reason)
        self._count()

    def _count(self) -> None:
        self._done += 1
        say_turn()


async def run(plan: GeneratorPlan) -> Samples:
    """Run the devices of a plan."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        generator = Generator(plan, session)
        gc.freeze()
        return await generator.run()


def main() -> None:
    """Read a plan, carry it out and print the samples."""
    plan = GeneratorPlan(**read_plan())
    say_result(uvloop.run(run(plan)))


if __name__ == "__main__":
    main()
