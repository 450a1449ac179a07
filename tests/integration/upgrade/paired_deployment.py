"""A deployment that can be restarted piece by piece: two workers of every queue, two fronts."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import aiohttp
from redis import Redis

from dispatcher.device_simulator import Address, DeviceOptions, SimulatedDevice, TurnResult, connect
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.errors import FrontError
from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from tests.support.broker import Broker
from tests.support.instances import Instances
from tests.support.processes import Process, stop_all
from tests.support.stack import Front, worker_command, write_config
from tests.support.waiting import eventually

TWINS: Final = ("a", "b")
# What a front says when it goes: whoever was not heard yet says it again, on another one.
GOING_AWAY: Final = "(code 1001)"


class Deployment:
    """Two of everything that turns go through, but for the broker."""

    def __init__(self, folder: Path, instances: Instances) -> None:
        """Write the configuration; nothing is started yet."""
        self.broker = Broker(folder)
        environ = {
            "REDIS_URL": self.broker.url,
            "DISPATCHER_CONFIG": str(write_config(folder / "two.yaml", instances, stage_timeout_s=10)),
            "DATA_DIR": str(folder / "var"),
        }
        # Each serves every queue, as on a small host: two workers per queue in two processes.
        self.workers = [
            Process(
                f"worker-{twin}",
                worker_command("-Q", ",".join(SERVICES), "-n", f"worker-{twin}@%h"),
                folder=folder,
                environ=environ,
            )
            for twin in TWINS
        ]
        self.fronts = [Front(f"front-{twin}", folder=folder, environ=environ) for twin in TWINS]

    def start(self) -> None:
        """Start everything and wait until turns can be taken."""
        self.broker.start()
        for process in [*self.workers, *self.fronts]:
            process.start()
        for worker in self.workers:
            self._wait_for(worker)
        for front in self.fronts:
            front.wait_until_ready()

    def stop(self) -> None:
        """End everything, the broker last."""
        stop_all([*self.fronts, *self.workers])
        self.broker.kill()

    def restart_worker(self, worker: Process) -> None:
        """Restart one worker as an upgrade does: SIGTERM, wait, start, wait."""
        worker.send_signal(signal.SIGTERM)
        assert worker.ends() == 0
        worker.start()
        self._wait_for(worker)

    def restart_front(self, front: Front) -> None:
        """Restart one front likewise."""
        front.send_signal(signal.SIGTERM)
        assert front.ends() == 0
        front.start()
        front.wait_until_ready()

    def late_stages(self) -> int:
        """Return how often a front had to send something a second time."""
        return sum(len(front.events("stage late, sent again")) for front in self.fronts)

    def _wait_for(self, worker: Process) -> None:
        signs = [keys.worker_ready(queue, worker.pid) for queue in SERVICES]
        with Redis.from_url(self.broker.url) as client:
            eventually(
                lambda: client.exists(*signs) == len(signs), what=f"{worker.name} is ready", within_s=60
            )


@dataclass(slots=True)
class TalkingDevices:
    """Devices that speak all the time, and what became of their turns.

    Attributes:
        lost: why, of each turn without an answer.
        repeated: turns that a front which was just going had not heard, and that another one answered.
    """

    fronts: Sequence[Front]
    answered: int = 0
    repeated: int = 0
    lost: list[str] = field(default_factory=list)
    is_over: bool = False

    async def live(self, count: int) -> None:
        """Let so many devices speak until it is over."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(self._use(session, number))

    async def _use(self, session: aiohttp.ClientSession, number: int) -> None:
        options = DeviceOptions(device_id=f"02:00:00:00:02:{number:02x}", keep_audio=False)
        attempt = number
        while not self.is_over:
            front = self.fronts[attempt % len(self.fronts)]
            attempt += 1
            try:
                async with connect(session, Address(url=front.socket_url), options) as device:
                    await self._talk(device)
            except FrontError:
                # A front that is down, or draining: the device looks for the other one.
                await asyncio.sleep(0.05)

    async def _talk(self, device: SimulatedDevice) -> None:
        while device.is_connected and not self.is_over:
            try:
                self._count(await device.turn_text("What time is it?", timeout_s=20))
            except FrontError as error:
                if GOING_AWAY in str(error) and not device.is_spoken_to:
                    self.repeated += 1
                else:
                    self.lost.append(str(error))
                raise
            await asyncio.sleep(0.1)

    def _count(self, result: TurnResult) -> None:
        apologies = [each.text for each in result.sentences if each.text in APOLOGIES.values()]
        if apologies:
            self.lost.append(apologies[0])
        elif result.first_audio_ms is None:
            self.lost.append("silence")
        else:
            self.answered += 1
