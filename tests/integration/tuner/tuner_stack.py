"""A broker, an LLM worker with little room, and a control worker whose minutes are a second long."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import yaml
from celery import Celery
from pydantic import TypeAdapter

from dispatcher.control import overrides, tuner_store
from dispatcher.control.rules.tuner_state import Event
from dispatcher.control.tuner_store import LoggedExperiment
from dispatcher.host_metrics.host import HostSample
from dispatcher.messages import CONTROL_QUEUE, TUNE, TunerMode
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.telemetry import kpi_store, turn_log
from tests.support.broker import Broker
from tests.support.front_side import FrontSide
from tests.support.instances import Instances
from tests.support.processes import Process, free_port
from tests.support.stack import worker_command, write_config
from tests.support.waiting import WAIT_TIMEOUT_S, eventually, soon

TICK_SCALE: Final = 0.02
TICK_S: Final = 60 * TICK_SCALE
POOL: Final = 2
# Turns of a second or two each: more than a small pool is done with before the tuner has looked three times.
QUEUED: Final = 40


class TunerStack:
    """The processes, and what a test sees of them."""

    def __init__(self, folder: Path, broker: Broker, instances: Instances) -> None:
        """Write the configuration; nothing is started yet."""
        config = write_config(folder / "tuned.yaml", instances)
        content = yaml.safe_load(config.read_text("utf-8"))
        # In turn, so that the failing instance goes on being asked.
        content["load_balancing"]["api_gateway"]["llm_services"]["algorithm"] = "round_robin"
        config.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
        # No nginx runs there until a test starts one.
        self.nginx_port = free_port()
        self.environ = {
            "REDIS_URL": broker.url,
            "NGINX_SERVICES_URL": f"http://127.0.0.1:{self.nginx_port}",
            "DISPATCHER_CONFIG": str(config),
            "DATA_DIR": str(folder / "var"),
            "TICK_SCALE": str(TICK_SCALE),
        }
        commands = {"llm": ("-Q", "llm", "-c", str(POOL)), "control": ("-Q", "control")}
        self.processes = [
            Process(name, worker_command(*words), folder=folder, environ=self.environ)
            for name, words in commands.items()
        ]
        self.app = Celery(broker=broker.url)

    def start(self) -> None:
        """Start the workers and wait until both answer."""
        for process in self.processes:
            if not process.runs:
                process.start()
        eventually(
            lambda: len(self.app.control.inspect(timeout=1).stats() or {}) == 2,
            what="both workers answer",
            within_s=WAIT_TIMEOUT_S,
        )

    def stop(self) -> None:
        """End the workers at once: a test leaves calls behind that take for ever."""
        for process in self.processes:
            process.kill()
        self.app.close()

    @property
    def llm(self) -> Process:
        """The LLM worker."""
        return self.processes[0]

    def pool_size(self) -> int:
        """Return how many LLM tasks run at once, as the worker itself says."""
        stats: dict[str, Any] = self.app.control.inspect(timeout=1).stats() or {}
        sizes = (said["pool"]["max-concurrency"] for name, said in stats.items() if name.startswith("llm@"))
        return int(next(sizes))

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Send the tuner's tick as beat does, while the block lasts."""
        async with going_on(self._beat):
            yield

    async def _beat(self) -> None:
        while True:
            await asyncio.to_thread(self.app.send_task, TUNE, queue=CONTROL_QUEUE)
            await asyncio.sleep(TICK_S)


@contextlib.asynccontextmanager
async def going_on(work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run something beside the block, and end it with the block."""

    async def run() -> None:
        await work()

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def choose(redis: RedisClient, mode: TunerMode) -> None:
    """Choose the mode as an operator does."""
    await overrides.set_override(redis, "tuner_mode", mode)


async def forget(redis: RedisClient) -> None:
    """Let the tuner know of nothing that was before."""
    tuner = (keys.OVERRIDES, keys.TUNER_STATE, keys.TUNER, keys.TUNER_REQUESTS)
    await redis.execute("DEL", *tuner, keys.TURNS, keys.DECISIONS, keys.KPIS, keys.RECORDS)


async def set_host_load(redis: RedisClient, *, cpu: float = 0.2, memory: float = 0.4) -> None:
    """Let the host be so busy and so full, as the control worker's look would tell."""
    host = HostSample(
        cpu_ratio=cpu,
        memory_ratio=memory,
        network_ratio=None,
        network_bytes_per_s=None,
        cores=4.0,
        memory_bytes=8_000_000_000,
    )
    board = kpi_store.KpiSnapshot(judged_at_s=0.0, host="here", standings=(), box=host, processes=())
    await redis.execute("HSET", keys.KPIS, "board", TypeAdapter(kpi_store.KpiSnapshot).dump_json(board))


async def work_waits(side: FrontSide, instances: Instances) -> None:
    """Let turns wait that take a second or two each."""
    for llm in instances.of("llm"):
        llm.fault("slow", 15)
    for _ in range(QUEUED):
        await side.types()


async def load_host(side: FrontSide, instances: Instances, *, cpu: float) -> None:
    """Let the host be so busy, with calls under way on its instances."""
    await work_waits(side, instances)
    await set_host_load(side.redis, cpu=cpu)


async def first_that_is(redis: RedisClient, *events: Event) -> LoggedExperiment:
    """Return the first experiment whose last decision is one of these, once there is one."""

    async def found() -> LoggedExperiment | None:
        return next((row for row in await tuner_store.read_log(redis) if row.latest.event in events), None)

    row = await soon(found, what=f"an experiment is {' or '.join(events)}", within_s=WAIT_TIMEOUT_S)
    assert row is not None
    return row


async def turns_end(redis: RedisClient, first_audio_ms: list[float]) -> None:
    """Let turns end with their first sound after this time, as a front would tell, for ever."""
    while True:
        figures = {"first_audio_ms": first_audio_ms[0]}
        turn_log.add(redis, outcome="answered", asked=True, typed=True, figures=figures)
        await asyncio.sleep(TICK_S / 20)


async def talk_while_it_fails_now_and_then(side: FrontSide, instances: Instances, fails: list[bool]) -> None:
    """Make one turn after the other, for ever; in two of eight `llm-1` fails whoever asks it."""
    failing = instances.of("llm")[0]
    number = 0
    while True:
        mode = "fast-error" if fails[0] and number % 8 in (0, 1) else "none"
        await asyncio.to_thread(failing.fault, mode)
        await side.reads(await side.types(), "end")
        number += 1
