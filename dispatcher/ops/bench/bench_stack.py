"""Stack of a bench: a whole dispatcher on free ports of loopback, in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from dispatcher.errors import StartError
from dispatcher.messages import QUEUES, SERVICES, WEBSOCKET_PATH, Service
from dispatcher.ops.bench import call_counter
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.settings import Settings
from dispatcher.supervisor.plan import STOP_ORDER
from dispatcher.supervisor.ports import free_ports
from dispatcher.supervisor.process import Process, describe_exit
from dispatcher.supervisor.process_output import ProcessLog
from dispatcher.supervisor.process_spec import ProcessSpec, Role, spec_of
from dispatcher.supervisor.procfile import Line
from dispatcher.supervisor.readiness import Readiness

READY_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 12.0
LOG_LINES_SHOWN: Final = 8
# So many calls at once that only the machine sets the limit.
SLOTS: Final = 256
INSTANCES_PER_SERVICE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPlan:
    """Processes of a stack, and where they run.

    Attributes:
        folder: data, logs and the generated YAML.
        config: the YAML of balancing.
        lines: as in a Procfile.
        environment: of every process.
        front_port: where devices connect.
        counted_roles: processes whose calls are counted (`call_counter`).
    """

    folder: Path
    config: Path
    lines: tuple[Line, ...]
    environment: Mapping[str, str]
    front_port: int
    counted_roles: frozenset[Role] = frozenset()

    @property
    def url(self) -> str:
        """The WebSocket address of the front."""
        return f"ws://127.0.0.1:{self.front_port}{WEBSOCKET_PATH}"

    def counts_path(self, name: str) -> Path:
        """Return the socket at which a counted process tells its calls."""
        return self.folder / f"{name}.calls"

    def specs(self) -> list[ProcessSpec]:
        """Return the processes of the lines, those whose calls are counted under the counter."""
        specs = [spec_of(line, self.environment) for line in self.lines]
        return [self._counted(spec) if spec.role in self.counted_roles else spec for spec in specs]

    def _counted(self, spec: ProcessSpec) -> ProcessSpec:
        counter = (sys.executable, "-m", call_counter.__name__, str(self.counts_path(spec.name)))
        return replace(spec, argv=(*counter, *spec.argv))


@dataclass(slots=True)
class Stack:
    """The running processes, by the name of their line."""

    running: dict[str, StackProcess] = field(default_factory=dict)

    def pids(self) -> dict[str, int]:
        """Return the process ids."""
        return {name: member.process.pid for name, member in self.running.items()}

    def roles(self) -> dict[str, str]:
        """Return what each process is: broker, front, worker, beat or instance."""
        return {name: member.part.role for name, member in self.running.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackProcess:
    """One running process, its log, and the task that writes the log."""

    part: ProcessSpec
    process: Process
    log: ProcessLog
    reader: asyncio.Task[None]


def plan_stack(folder: Path, config: Path | None, *, tts_workers: int = 1) -> StackPlan:
    """Return what to run for a bench.

    Args:
        folder: empty, and of this run alone.
        config: a YAML with instances that run already; timed instances are started when it is None.
        tts_workers: processes of the TTS queue.
    """
    wanted = 2 + (0 if config else len(SERVICES) * INSTANCES_PER_SERVICE)
    broker_port, front_port, *instance_ports = free_ports(wanted)
    commands = {"broker": "dispatcher broker"}
    if config is None:
        config = folder / "bench.yaml"
        endpoints = _endpoints(instance_ports)
        config.write_text(yaml.safe_dump(bench_catalogue(endpoints)), "utf-8")
        for name, (service, port) in endpoints.items():
            commands[name] = f"dispatcher instance {service} --engine timed --port {port}"
    commands |= {queue: f"celery -A workers worker -Q {queue}" for queue in QUEUES}
    for number in range(2, tts_workers + 1):
        commands[f"tts-{number}"] = f"celery -A workers worker -Q tts -n tts-{number}@%h"
    commands |= {"beat": "celery -A workers beat", "front": "dispatcher front"}
    return StackPlan(
        folder=folder,
        config=config,
        lines=tuple(Line(name=name, command=command) for name, command in commands.items()),
        environment=_environment(folder, config, broker_port=broker_port, front_port=front_port),
        front_port=front_port,
    )


def plan_loaded(
    folder: Path, sections: Mapping[str, Any], *, llm_places: int, service: Service, options: str
) -> StackPlan:
    """Return a stack for a bench of load: few LLM places, sections of the YAML, a service's timed instances.

    `options` are those of the timed instances of `service`.
    """
    plan = plan_stack(folder, None)
    settings = {**yaml.safe_load(plan.config.read_text("utf-8")), **sections}
    for instance in (found := settings["load_balancing"]["api_gateway"]["llm_services"]["instances"]):
        instance["max_concurrent"] = llm_places // len(found)
    plan.config.write_text(yaml.safe_dump(settings), "utf-8")
    its = f" instance {service} "
    lines = (
        replace(line, command=f"{line.command} {options}") if its in line.command else line
        for line in plan.lines
    )
    return replace(plan, lines=tuple(lines))


@asynccontextmanager
async def running_stack(plan: StackPlan, on_ready: Callable[[str], None]) -> AsyncGenerator[Stack]:
    """Run the plan for as long as the block lasts; everything is stopped then, whatever happened.

    Args:
        plan: what to run.
        on_ready: called with the name of each process that is ready.

    Raises:
        StartError: a process ended or was not ready in time; its last lines are in the text.
    """
    stack = Stack()
    readiness = Readiness(plan.environment["REDIS_URL"])
    try:
        parts = plan.specs()
        # Workers and front need the broker; the workers warm up their connections to the instances.
        for together in (("broker",), ("instance",), ("worker", "beat", "front")):
            starting = [part for part in parts if part.role in together]
            for part in starting:
                stack.running[part.name] = await _start(part, plan)
            await asyncio.gather(
                *(_wait_ready(stack.running[part.name], readiness, on_ready) for part in starting)
            )
        yield stack
    finally:
        await readiness.close()
        await asyncio.shield(_stop(stack))


@asynccontextmanager
async def ready_stack(plan: StackPlan, progress: BenchProgress) -> AsyncGenerator[Stack]:
    """Run the plan for as long as the block lasts, with a bar while it starts; see `running_stack`."""
    async with AsyncExitStack() as running:
        with progress.step("starting", len(plan.lines)) as started:
            stack = await running.enter_async_context(running_stack(plan, lambda _: started()))
        yield stack


@asynccontextmanager
async def broker_alone() -> AsyncGenerator[tuple[Stack, str]]:
    """Run a broker for as long as the block lasts, and yield it with its URL; see `running_stack`."""
    with tempfile.TemporaryDirectory(prefix="dispatcher-bench-") as folder:
        plan = plan_stack(Path(folder), None)
        async with running_stack(replace(plan, lines=plan.lines[:1]), lambda _: None) as stack:
            yield stack, plan.environment["REDIS_URL"]


async def _start(part: ProcessSpec, plan: StackPlan) -> StackProcess:
    log = ProcessLog(plan.folder / "log" / f"{part.name}.log")
    process = await Process.start(part, plan.environment)
    return StackProcess(
        part=part, process=process, log=log, reader=asyncio.create_task(process.read_output(log.write))
    )


async def _wait_ready(member: StackProcess, readiness: Readiness, on_ready: Callable[[str], None]) -> None:
    name = member.part.name
    ready = asyncio.create_task(readiness.wait(member.part, member.process.pid))
    ended = asyncio.create_task(member.process.wait())
    try:
        await asyncio.wait({ready, ended}, timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            await asyncio.wait([member.reader], timeout=1)
            raise StartError(_failure(member, describe_exit(ended.result())))
        if not ready.done():
            raise StartError(_failure(member, f"was not ready within {READY_TIMEOUT_S:.0f} s"))
        ready.result()
    finally:
        ready.cancel()
        ended.cancel()
    on_ready(name)


def _failure(member: StackProcess, what: str) -> str:
    lines = [f"  {line}" for line in member.log.last_lines(LOG_LINES_SHOWN)]
    return "\n".join([f"bench: {member.part.name} {what}", *lines])


async def _stop(stack: Stack) -> None:
    """Stop group after group, as the supervisor does; what does not end in time is killed."""
    for roles in STOP_ORDER:
        members = [member for member in stack.running.values() if member.part.role in roles]
        for member in members:
            member.process.terminate()
        for member in members:
            with suppress(TimeoutError):
                await asyncio.wait_for(member.process.wait(), STOP_TIMEOUT_S)
            member.process.kill()
            await asyncio.wait([member.reader], timeout=1)
            member.log.close()


def _endpoints(ports: list[int]) -> dict[str, tuple[str, int]]:
    """Return service and port of each timed instance, by name."""
    services = [service for service in SERVICES for _ in range(INSTANCES_PER_SERVICE)]
    return {
        f"timed-{service}-{index % INSTANCES_PER_SERVICE + 1}": (service, port)
        for index, (service, port) in enumerate(zip(services, ports, strict=True))
    }


def bench_catalogue(endpoints: Mapping[str, tuple[str, int]]) -> dict[str, Any]:
    """Return the YAML's content, with the algorithms of the embedded deployment."""
    algorithms = {"asr": "least_connections", "llm": "response_time", "tts": "weighted_round_robin"}
    services = {
        f"{service}_services": {
            "algorithm": algorithm,
            "instances": [
                {
                    "name": name,
                    "endpoint": f"http://127.0.0.1:{port}",
                    "model": f"timed-{service}",
                    "max_concurrent": SLOTS,
                }
                for name, (of, port) in endpoints.items()
                if of == service
            ],
        }
        for service, algorithm in algorithms.items()
    }
    return {"load_balancing": {"global_settings": {"health_check_interval": 5}, "api_gateway": services}}


def _environment(folder: Path, config: Path, *, broker_port: int, front_port: int) -> dict[str, str]:
    """Return our own variables without the operator's settings, which are for the real deployment."""
    inherited = {
        name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields
    }
    return {
        **inherited,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "REDIS_URL": f"redis://127.0.0.1:{broker_port}/0",
        "BROKER_PORT": str(broker_port),
        "FRONT_HOST": "127.0.0.1",
        "FRONT_PORT": str(front_port),
        "DATA_DIR": str(folder / "data"),
        "DISPATCHER_CONFIG": str(config.absolute()),
        "MAX_DEVICES": "1000",
        "DRAIN_S": "1",
    }
