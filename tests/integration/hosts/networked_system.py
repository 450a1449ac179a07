"""A small system on any Redis: one worker for all queues and a front, and the turns that a device takes."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
from redis import Redis

from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from tests.support.device import Device
from tests.support.instances import SENTENCES, Instances
from tests.support.processes import BIN, ROOT, Process, own_environment, stop_all
from tests.support.stack import Front, worker_command, write_config
from tests.support.waiting import WAIT_TIMEOUT_S, eventually, soon

ALL_STAGES: Final = ",".join(SERVICES)
# The system starts while others run beside it.
START_S: Final = 60.0


class NetworkedSystem:
    """One worker and one front; `url` is where tests themselves reach the Redis."""

    def __init__(self, folder: Path, instances: Instances, *, url: str, environ: Mapping[str, str]) -> None:
        """Write the configuration; nothing is started yet."""
        config = write_config(folder / "house.yaml", instances)
        self.folder = folder
        self.url = url
        self.environ = {"DISPATCHER_CONFIG": str(config), "DATA_DIR": str(folder / "var"), **environ}
        self.worker = Process("worker", worker_command("-Q", ALL_STAGES), folder=folder, environ=self.environ)
        self.front = Front("front", folder=folder, environ=self.environ)

    @property
    def processes(self) -> list[Process]:
        """Both, in the order in which they are stopped."""
        return [self.front, self.worker]

    def start(self) -> None:
        """Start both and wait until a turn can be taken."""
        for process in self.processes:
            process.start()
        await_worker(self.worker, self.url)
        eventually(self.front.ready, what="the front is ready", within_s=START_S)

    def stop(self) -> None:
        """End both."""
        stop_all(self.processes)

    def command(self, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the command of an operator on this system."""
        return run_dispatcher(*words, environ={**self.environ, **environ})


def run_dispatcher(*words: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `dispatcher` to its end and return what it said."""
    return subprocess.run(
        [str(BIN / "dispatcher"), *words],
        cwd=ROOT,
        env=own_environment(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def await_worker(worker: Process, url: str, *, queue: str = "llm") -> None:
    """Return when a worker of this machine consumes a queue."""

    def consumes() -> bool:
        assert worker.runs, f"{worker.name} ended: {worker.output()}"
        with Redis.from_url(url) as client:
            return bool(client.exists(keys.worker_ready(queue, worker.pid)))

    eventually(consumes, what=f"{worker.name} is ready", within_s=START_S)


async def hears_the_end(device: Device, text: str = "what now?") -> tuple[str, ...]:
    """Type something; return the sentences of whatever is spoken, an answer or an apology; never silence."""
    await device.begins_to_type(text)
    await device.hears(type="tts", state="stop")
    await device.hears_audio()
    return tuple(
        str(each.message["text"]) for each in device.of_this_turn if each.matches({"state": "sentence_start"})
    )


async def is_answered_soon(device: Device, *, within_s: float = WAIT_TIMEOUT_S) -> None:
    """Take turns until one is answered in full."""

    async def answered() -> bool:
        return await hears_the_end(device) == SENTENCES

    await soon(answered, what="a turn is answered", within_s=within_s)


@asynccontextmanager
async def known_device(front_url: str, socket_url: str, name: str, **headers: str) -> AsyncGenerator[Device]:
    """Connect as a device of the network does: with the token that OTA gave it."""
    async with aiohttp.ClientSession() as session:
        ids = {"Device-Id": name, "Client-Id": "a-client"}
        async with session.post(f"{front_url}/xiaozhi/ota/", headers=ids, json={}) as answer:
            token = (await answer.json())["websocket"]["token"]
    async with Device.connected(
        socket_url, device_id=name, headers={"Authorization": f"Bearer {token}", **headers}
    ) as device:
        await device.hello()
        yield device
