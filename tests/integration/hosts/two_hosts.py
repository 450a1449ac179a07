"""Broker, front, instances and a worker on one host; worker, front and instances on a second one."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

import yaml
from celery import Celery
from redis import Redis

from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client import keys
from tests.integration.hosts.networked_system import ALL_STAGES, START_S, await_worker
from tests.support.broker import Broker
from tests.support.hosts import Host
from tests.support.instances import SPEED
from tests.support.processes import BIN, Process, free_port, stop_all
from tests.support.stack import ALGORITHMS, Front, worker_command
from tests.support.waiting import eventually

RULES: Final = {"stage_timeout_s": 5, "turn_timeout_s": 18, "filler": None}


class HostBroker(Broker):
    """The broker of a test at an address of the network."""

    def __init__(self, folder: Path, host: Host) -> None:
        """Choose a port; nothing is started yet."""
        super().__init__(folder)
        self.url = f"redis://{host.address}:{self.port}/0"
        at_address = [host.address if word == "127.0.0.1" else word for word in self.command]
        self.command = host.command(*at_address, "--protected-mode", "no")


class HostFront(Front):
    """A front at an address of the network."""

    def __init__(self, name: str, host: Host, *, folder: Path, environ: dict[str, str]) -> None:
        """Choose a port; nothing is started yet."""
        own = {"FRONT_HOST": host.address, "SERVER_ID": name, "DATA_DIR": str(folder / f"var-{name}")}
        super().__init__(name, folder=folder, environ={**environ, **own})
        self.command = host.command(*self.command)
        self._address = host.address

    @property
    def url(self) -> str:
        """Where it serves HTTP."""
        return f"http://{self._address}:{self.port}"

    @property
    def socket_url(self) -> str:
        """Where it serves devices."""
        return f"ws://{self._address}:{self.port}/xiaozhi/v1/"


class HostInstance(Process):
    """A timed instance at an address of the network."""

    def __init__(self, service: Service, host: Host, *, folder: Path) -> None:
        """Choose a port; nothing is started yet."""
        port = free_port()
        self.service = service
        self.endpoint = f"http://{host.address}:{port}"
        words = [word for pair in SPEED[service].items() for word in ("--set", "=".join(pair))]
        where = ("--host", host.address, "--port", str(port))
        command = (str(BIN / "dispatcher"), "instance", service, "--engine", "timed", *where, *words)
        super().__init__(f"{service}-on-{host.namespace}", host.command(*command), folder=folder)

    def is_well(self) -> bool:
        """Whether it answers."""
        try:
            with urlopen(f"{self.endpoint}/health", timeout=5):
                return True
        except (URLError, OSError):
            return False

    def fault(self, mode: str, value: float | None = None) -> None:
        """Fail like this from now on; "none" ends it."""
        body = json.dumps({"mode": mode, "value": value}).encode()
        with urlopen(Request(f"{self.endpoint}/faults", data=body), timeout=5):
            pass


class TwoHosts:
    """All of it; the second host knows nothing but REDIS_URL."""

    def __init__(self, folder: Path, a: Host, b: Host) -> None:
        """Write the configuration of the first host; nothing is started yet."""
        self.a, self.b = a, b
        self.broker = HostBroker(folder, a)
        self.instances = {
            host: tuple(HostInstance(service, host, folder=folder) for service in SERVICES) for host in (a, b)
        }
        config = folder / "two-hosts.yaml"
        config.write_text(yaml.safe_dump(self._catalogue()), "utf-8")
        self.far_environ = {"REDIS_URL": self.broker.url}
        self.environ = {**self.far_environ, "DISPATCHER_CONFIG": str(config)}
        self.near_front = HostFront("near-front", a, folder=folder, environ=self.environ)
        self.far_front = HostFront("far-front", b, folder=folder, environ=self.far_environ)
        self.near = self._worker("near", a, folder, self.environ)
        self.far = self._worker("far", b, folder, self.far_environ)

    @property
    def processes(self) -> list[Process]:
        """Everything but the broker, in the order in which it is stopped."""
        all_instances = [each for several in self.instances.values() for each in several]
        return [self.near_front, self.far_front, self.near, self.far, *all_instances]

    def start(self) -> None:
        """Start everything and wait until both hosts serve."""
        self.broker.start()
        for process in reversed(self.processes):
            process.start()
        for worker in (self.near, self.far):
            await_worker(worker, self.broker.url)
        for front in (self.near_front, self.far_front):
            eventually(front.ready, what=f"{front.name} is ready", within_s=START_S)
        for several in self.instances.values():
            for instance in several:
                eventually(instance.is_well, what=f"{instance.name} is well", within_s=START_S)

    def stop(self) -> None:
        """End everything."""
        stop_all(self.processes)
        self.broker.kill()

    def llms(self) -> list[HostInstance]:
        """Return the LLM of each host, the first host's first."""
        return [each for several in self.instances.values() for each in several if each.service == "llm"]

    def lease_ids(self) -> set[bytes]:
        """Return the leases that are held now, by whichever host."""
        with Redis.from_url(self.broker.url) as client:
            now_s, now_us = client.time()
            now_ms = now_s * 1000 + now_us // 1000
            held: set[bytes] = set()
            for key in client.scan_iter(keys.leases("*", "*")):  # type: ignore[arg-type]
                held |= set(client.zrangebyscore(key, now_ms, "+inf"))
            return held

    def near_takes(self, *, calls: bool) -> None:
        """Let the worker of the first host take calls of an LLM, or leave them to the second's."""
        since = self.near.printed_bytes()
        with Celery("operator", broker=self.broker.url, set_as_current=False) as operator:
            change = operator.control.add_consumer if calls else operator.control.cancel_consumer
            change("llm", destination=[f"near@{socket.gethostname()}"])
        done = "Started consuming from llm" if calls else "Canceling queue llm"
        eventually(lambda: done in self.near.output(since), what=f"the near worker says: {done}")

    def _worker(self, name: str, host: Host, folder: Path, environ: dict[str, str]) -> Process:
        command = host.command(*worker_command("-Q", ALL_STAGES, "-n", f"{name}@%h"))
        return Process(name, command, folder=folder, environ={**environ, "DATA_DIR": str(folder / name)})

    def _catalogue(self) -> dict[str, Any]:
        services = {
            f"{service}_services": {
                "algorithm": ALGORITHMS[service],
                "instances": [
                    {"endpoint": each.endpoint, "max_concurrent": 8}
                    for several in self.instances.values()
                    for each in several
                    if each.service == service
                ],
            }
            for service in SERVICES
        }
        return {"load_balancing": {"api_gateway": services}, "conversation": RULES}
