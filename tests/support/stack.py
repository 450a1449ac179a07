"""The whole system on loopback: broker, timed instances, a worker for each queue, a front."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import yaml
from redis import Redis

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.model import Catalogue
from dispatcher.messages import QUEUES, SERVICES, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import instance_table
from tests.support.broker import Broker
from tests.support.device import Device
from tests.support.instances import Instances
from tests.support.processes import BIN, Process, free_port, stop_all
from tests.support.waiting import WAIT_TIMEOUT_S, eventually, is_ready, soon

ALGORITHMS: Final = {"asr": "least_connections", "llm": "response_time", "tts": "weighted_round_robin"}
SYSTEM_PROMPT: Final = "You are a kettle."
LEARNED: Final = (
    *("healthy", "check_run", "checked_at_ms", "ejected_until_ms", "ejections", "failures", "failed_at_ms"),
    *("recovered_at_ms", "latency_ewma_ms", "latency_at_ms", "error_ratio", "current"),
    *("trial_ms", "tried_since_ms", "first_ms", "slow_since_ms", "probed_at_ms", "unprobed_calls"),
)


def write_config(path: Path, instances: Instances, **conversation: Any) -> Path:
    """Write the YAML of these instances and return its path."""
    services = {
        f"{service}_services": {
            "algorithm": ALGORITHMS[service],
            "instances": [
                {"endpoint": f"http://127.0.0.1:{port}", "max_concurrent": 8}
                for port in instances.ports(service)
            ],
        }
        for service in SERVICES
    }
    rules = {
        "system_prompt": SYSTEM_PROMPT,
        "wake_words": ["你好小智"],
        "stage_timeout_s": 2,
        "turn_timeout_s": 20,
        "filler": None,
        **conversation,
    }
    content = {"load_balancing": {"api_gateway": services}, "conversation": rules}
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


def worker_command(*arguments: str) -> list[str]:
    """Return the command line of a worker."""
    return [str(BIN / "celery"), "-A", "workers", "worker", *arguments]


class Front(Process):
    """One front on a port of its own."""

    def __init__(self, name: str, *, folder: Path, environ: Mapping[str, str]) -> None:
        """Choose a port; nothing is started yet."""
        self.port = free_port()
        own = {"FRONT_PORT": str(self.port), "FRONT_HOST": "127.0.0.1", "LOG_FORMAT": "json", "DRAIN_S": "5"}
        super().__init__(name, [str(BIN / "dispatcher"), "front"], folder=folder, environ={**own, **environ})

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        """Where it serves devices."""
        return f"ws://127.0.0.1:{self.port}/xiaozhi/v1/"

    def wait_until_ready(self) -> None:
        """Return when it can take a turn."""
        eventually(self.ready, what=f"{self.name} is ready")

    def ready(self) -> bool:
        """Whether it says that it can take a turn."""
        assert self.runs, f"{self.name} ended: {self.output()}"
        return is_ready(self.url)

    def events(self, name: str, since_byte: int = 0) -> list[dict[str, Any]]:
        """Return the log lines of one event."""
        lines = (line for line in self.output(since_byte).splitlines() if line.startswith("{"))
        return [fields for line in lines if (fields := json.loads(line)).get("event") == name]

    @asynccontextmanager
    async def device(self, name: str, **headers: str) -> AsyncGenerator[Device]:
        """Connect a device and exchange hellos."""
        async with Device.connected(self.socket_url, device_id=name, headers=headers) as device:
            await device.hello()
            yield device


class Stack:
    """Everything that a turn needs; processes may be killed, `heal` brings them back."""

    def __init__(self, folder: Path, instances: Instances) -> None:
        """Write the configuration; nothing is started yet."""
        self.folder = folder
        self.instances = instances
        self.broker = Broker(folder)
        self.environ = {
            "REDIS_URL": self.broker.url,
            "DISPATCHER_CONFIG": str(write_config(folder / "stack.yaml", instances)),
            "DATA_DIR": str(folder / "var"),
        }
        self.workers = {
            queue: Process(queue, worker_command("-Q", queue), folder=folder, environ=self.environ)
            for queue in QUEUES
        }
        self.metrics_port = free_port()
        self.workers["llm"].environ["METRICS_PORT"] = str(self.metrics_port)
        self.front = Front("front", folder=folder, environ=self.environ)

    @property
    def processes(self) -> list[Process]:
        """Everything but the broker."""
        return [*self.workers.values(), self.front]

    def start(self) -> None:
        """Start everything and wait until a turn can be taken."""
        self.broker.start()
        for process in self.processes:
            process.start()
        self._wait_until_ready()

    @contextmanager
    def running(self) -> Iterator[Stack]:
        """Start everything, and end it with the block."""
        try:
            self.start()
            yield self
        finally:
            self.stop()

    @contextmanager
    def healed(self) -> Iterator[Stack]:
        """Heal it; print what it logs within the block, which pytest shows when the test fails."""
        self.heal()
        logged = {process: process.printed_bytes() for process in self.processes}
        yield self
        for process, since_byte in logged.items():
            sys.stdout.write(f"--- {process.name}\n{process.output(since_byte)}\n")

    def heal(self) -> None:
        """Bring back what a test killed, and forget what was learned of the instances."""
        self.instances.revive()
        for process in (self.broker, *self.processes):
            if not process.runs:
                process.start()
        self._wait_until_ready()
        with Redis.from_url(self.broker.url) as client:
            for key in client.scan_iter(keys.instance("*", "*")):  # type: ignore[arg-type]
                client.hdel(key, *LEARNED)

    def restart_worker(self, queue: str) -> None:
        """Have a worker begin anew: it knows no times of instances, and all its budgets are whole."""
        self.workers[queue].kill()
        self.heal()

    def stop(self) -> None:
        """End everything, the broker last."""
        stop_all(self.processes)
        self.broker.kill()

    @property
    def own_catalogue(self) -> Catalogue:
        """What the file of the stack says."""
        return load_catalogue(Path(self.environ["DISPATCHER_CONFIG"]))

    async def activate(self, catalogue: Catalogue) -> None:
        """Publish a catalogue, and wait until the front and the workers of all stages follow it."""
        followers = [self.front, *(self.workers[service] for service in SERVICES)]
        redis = RedisClient(connect(self.broker.url))
        before = await instance_table.read_active(redis)
        seen = [follower.printed_bytes() for follower in followers]
        revision = (await instance_table.publish(redis, catalogue)).revision
        await redis.close()
        if before is not None and before.revision == revision:
            return
        # As JSON and as text; the number is followed by something that is no digit.
        wanted = re.compile(
            rf'catalogue swapped +revision={revision}\b|"revision": {revision},.*catalogue swapped'
        )

        async def followed() -> bool:
            pairs = zip(followers, seen, strict=True)
            return all(wanted.search(follower.output(since)) for follower, since in pairs)

        await soon(followed, what="the catalogue is followed")

    def leases(self) -> int:
        """Return how many slots are held now, over all instances."""
        with Redis.from_url(self.broker.url) as client:
            now_s, now_us = client.time()
            now_ms = now_s * 1000 + now_us // 1000
            held = client.scan_iter(keys.leases("*", "*"))  # type: ignore[arg-type]
            return sum(int(client.zcount(key, now_ms, "+inf")) for key in held)

    def blocked_reads(self) -> int:
        """Return how many connections of workers wait at a queue for a message."""
        with Redis.from_url(self.broker.url) as client:
            listed = client.client_list()
        return sum(each["cmd"] == "blmove" and "b" in each["flags"] for each in listed)

    async def is_given_back(self, *, within_s: float = WAIT_TIMEOUT_S) -> None:
        """Wait until no slot is held: a draft that lost a race is heard out for a while."""

        async def is_free() -> bool:
            return self.leases() == 0

        await soon(is_free, what="all slots are given back", within_s=within_s)

    def failures(self, service: Service, name: str) -> int:
        """Return how many calls of an instance failed in a row."""
        with Redis.from_url(self.broker.url) as client:
            return int(client.hget(keys.instance(service, name), "failures") or 0)

    def busy_devices(self) -> int:
        """Return how many devices are in a turn or listening, as all fronts said last."""
        with Redis.from_url(self.broker.url) as client:
            shown = client.scan_iter(keys.front("*"))
            return sum(int(client.hget(key, "busy") or 0) for key in shown)

    @asynccontextmanager
    async def another_front(self, **environ: str) -> AsyncGenerator[Front]:
        """Run one more front, with settings of its own."""
        front = Front("another-front", folder=self.folder, environ={**self.environ, **environ})
        front.start()
        try:
            await asyncio.to_thread(front.wait_until_ready)
            yield front
        finally:
            if front.runs:
                front.send_signal(signal.SIGTERM)
            await asyncio.to_thread(front.stop)

    def _wait_until_ready(self) -> None:
        for queue, worker in self.workers.items():
            eventually(lambda q=queue, w=worker: self.serves(q, w), what=f"worker of {queue} is ready")  # type: ignore[misc]
        self.front.wait_until_ready()

    def serves(self, queue: str, worker: Process) -> bool:
        """Whether a worker process takes tasks of a queue."""
        assert worker.runs, f"{worker.name} ended: {worker.output()}"
        with Redis.from_url(self.broker.url) as client:
            return bool(client.exists(keys.worker_ready(queue, worker.pid)))
