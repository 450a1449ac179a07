"""Actions of the tuner on bundled instances: one more of a service, a restart, less CPU."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from typing import Final
from urllib.parse import urlsplit

from dispatcher.catalogue.endpoints import normalise_endpoint
from dispatcher.control.added_instances import like_of, name_of
from dispatcher.control.instance_control import SupervisorOffer
from dispatcher.control.overrides import RuntimeOverrides, added_instance_name, restart_name, set_override
from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.routing.published import read_fleets
from dispatcher.supervisor.cpu_throttle import CpuThrottle
from dispatcher.supervisor.ports import free_ports
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec
from dispatcher.supervisor.runner_group import RunnerGroup

# An override that was set by mistake must not fill the host.
MAX_PER_SERVICE: Final = 2
# The catalogue changes when an operator says so; the names of instances are read anew that often.
NAMES_READ_INTERVAL_S: Final = 10.0
LEAVING_TIMEOUT_S: Final = 30.0


@dataclass(slots=True)
class FurtherInstance:
    """An instance beside those of the Procfile; one that is withdrawn waits for the end of its calls."""

    runner: ProcessRunner
    service: Service
    withdrawn_at_s: float | None = None


class InstanceActions:
    """Follows the overrides about instances; one that runs in a shell is restarted, and never copied."""

    def __init__(
        self,
        group: RunnerGroup,
        redis: RedisClient,
        throttle: CpuThrottle,
        *,
        tasks: asyncio.TaskGroup,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Work on the instances of a group; what runs for it belongs to the task group."""
        self._group = group
        self._redis = redis
        self._throttle = throttle
        self._tasks = tasks
        self._clock = clock
        self._further: list[FurtherInstance] = []
        self._names: dict[str, ProcessRunner] = {}
        self._read_at_s = -NAMES_READ_INTERVAL_S

    async def offer(self) -> SupervisorOffer:
        """Return what can be done to the instances that run here.

        Raises:
            StateError: Redis is out of reach.
        """
        if self._clock() - self._read_at_s >= NAMES_READ_INTERVAL_S:
            self._names, self._read_at_s = await self._read_names(), self._clock()
        throttle = self._throttle if self._names else CpuThrottle(SupervisorOffer().no_throttle)
        return SupervisorOffer(
            growable=frozenset(self._models()),
            restartable=frozenset(self._names),
            throttle=throttle.way,
            no_throttle=throttle.reason,
        )

    async def match(self, overrides: RuntimeOverrides) -> None:
        """Do what is wanted and not done yet.

        Raises:
            StateError: Redis is out of reach.
        """
        for target in overrides.restarts & frozenset(self._names):
            await set_override(self._redis, restart_name(target), None)
            self._tasks.create_task(self._restart(self._names[target]))
        self._scale(overrides.extra_instances)
        await self._announce(overrides.added_instances)
        instances = [each.pid for each in self._group.runners if each.spec.role == "instance"]
        self._throttle.match(pid for pid in instances if pid and overrides.is_throttled)

    async def withdraw_all(self) -> None:
        """Let no call go to the further instances any more: all of them are about to stop.

        Raises:
            StateError: Redis is out of reach.
        """
        for each in self._further:
            await set_override(self._redis, added_instance_name(each.runner.spec.name), None)

    async def _restart(self, runner: ProcessRunner) -> None:
        self._group.notify(runner.spec, "is restarted for the tuner")
        await runner.restart(self._group.grace_s)

    def _models(self) -> dict[str, tuple[str, ProcessSpec]]:
        """Return name and spec of the first instance of each service that can be copied, by service."""
        models: dict[str, tuple[str, ProcessSpec]] = {}
        for target, runner in self._names.items():
            service, _, name = target.partition("/")
            if not runner.spec.in_shell:
                models.setdefault(service, (name, runner.spec))
        return models

    def _scale(self, wanted: Mapping[Service, int]) -> None:
        """Start what is missing and withdraw what is too much, the newest first."""
        models = self._models()
        for service in SERVICES:
            staying = [e for e in self._further if e.service == service and e.withdrawn_at_s is None]
            most = min(MAX_PER_SERVICE, wanted.get(service, 0)) if service in models else 0
            for each in staying[most:]:
                each.withdrawn_at_s = self._clock()
            for _ in range(len(staying), most):
                spec = further_instance(*models[service], self._running(), free_ports(1)[0])
                self._further.append(FurtherInstance(self._group.start_scaled(self._tasks, spec), service))

    def _running(self) -> set[str]:
        return {each.runner.spec.name for each in self._further}

    async def _announce(self, added: Mapping[str, str]) -> None:
        """Let those that are ready have calls; stop those that have none any more."""
        models = {name for name, _ in self._models().values()}
        for name in added.keys() - self._running():
            if like_of(name) in models:  # left by a run that was killed
                await set_override(self._redis, added_instance_name(name), None)
        for each in tuple(self._further):
            name, is_added = each.runner.spec.name, each.runner.spec.name in added
            if each.withdrawn_at_s is None and each.runner.state == "ready" and not is_added:
                url = normalise_endpoint(f"http://{_address(each.runner.spec).reachable}")
                await set_override(self._redis, added_instance_name(name), url)
            elif each.withdrawn_at_s is not None and is_added:
                await set_override(self._redis, added_instance_name(name), None)
            elif each.withdrawn_at_s is not None and await self._calls_ended(each):
                self._further.remove(each)
                self._tasks.create_task(self._group.remove(each.runner))

    async def _calls_ended(self, each: FurtherInstance) -> bool:
        """Return whether no process calls it any more, or it was waited for long enough."""
        if self._clock() - (each.withdrawn_at_s or 0.0) > LEAVING_TIMEOUT_S:
            return True
        fleets = await read_fleets(self._redis)
        return each.runner.spec.name not in {name for one in fleets for name in (*one.names, *one.leaving)}

    async def _read_names(self) -> dict[str, ProcessRunner]:
        """Return the instances of the catalogue that run here, as `service/instance`."""
        found = await instance_table.read_active(self._redis)
        runners = {
            each.spec.address.port: each
            for each in self._group.runners
            if each.spec.role == "instance" and each.spec.address is not None
        }
        instances = (
            [] if found is None else [i for s in found.catalogue.services.values() for i in s.instances]
        )
        return {
            f"{each.service}/{each.name}": runners[port]
            for each in instances
            if not each.is_added and (port := _port_here(each.endpoint)) in runners
        }


def further_instance(like: str, model: ProcessSpec, taken: Collection[str], port: int) -> ProcessSpec:
    """Return a further instance like one of the Procfile, at a port and with a name of its own.

    Args:
        like: the name that the catalogue has for it.
        model: what runs it.
        taken: names of the further ones that run.
        port: on which nothing listens.
    """
    name = next(name for number in count(1) if (name := name_of(like, number)) not in taken)
    address = _address(model)
    argv = tuple(_with_port(model.argv, str(port)))
    what = f"{model.what}, extra"
    return replace(model, name=name, argv=argv, address=ListenAddress(address.host, port), what=what)


def _with_port(argv: Iterable[str], port: str) -> Iterable[str]:
    before = ""
    for word in argv:
        yield port if before == "--port" else f"--port={port}" if word.startswith("--port=") else word
        before = word


def _address(spec: ProcessSpec) -> ListenAddress:
    return spec.address or ListenAddress("127.0.0.1", 0)


def _port_here(endpoint: str) -> int | None:
    url = urlsplit(endpoint)
    return url.port if url.hostname in ("127.0.0.1", "localhost", "::1") else None
