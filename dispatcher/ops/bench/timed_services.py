"""Timed instances in the process of a bench, and the smallest stack that uses them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from aiohttp import web

from dispatcher.bundled.engines import Engine
from dispatcher.bundled.routes import build_app
from dispatcher.bundled.served_engine import ServedEngine
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.bench.bench_stack import StackPlan, bench_catalogue, plan_stack
from dispatcher.supervisor.procfile import Line

# Three sentences and a second of sound: long enough for every step of a turn, short enough for each CI run.
ANSWER: Final = "Sure. It is ten past nine. The tea is ready."
SMALL_STACK: Final = (
    Line(name="broker", command="dispatcher broker"),
    Line(name="worker", command=f"celery -A workers worker -Q {','.join(SERVICES)}"),
    Line(name="front", command="dispatcher front"),
)


class TimedServices:
    """Timed instances of this process, each of which may be stopped."""

    def __init__(self) -> None:
        """Serve nothing yet."""
        self._running: dict[Service, web.AppRunner] = {}

    async def start(self, service: Service, engine: Engine) -> int:
        """Serve an engine on a port of its own, and return that."""
        served = ServedEngine(service=service, engine_name="timed")
        served.engine = engine
        self._running[service] = runner = web.AppRunner(build_app(served), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return int(runner.addresses[0][1])

    async def stop(self, service: Service) -> None:
        """Serve one of them no more."""
        await self._running.pop(service).cleanup()

    async def close(self) -> None:
        """Stop all that still run."""
        for service in list(self._running):
            await self.stop(service)


@asynccontextmanager
async def small_stack(
    folder: Path, engines: Mapping[Service, Engine], sections: Mapping[str, Any] | None = None
) -> AsyncGenerator[tuple[StackPlan, TimedServices]]:
    """Serve these engines while the block lasts, and plan a broker, a worker and a front that use them.

    A service without an engine is never asked; `sections` are added to the YAML.
    """
    async with AsyncExitStack() as running:
        services = TimedServices()
        running.push_async_callback(services.close)
        ports = {service: await services.start(service, engine) for service, engine in engines.items()}
        unused_port = next(iter(ports.values()))
        endpoints = {
            f"timed-{service}": (str(service), ports.get(service, unused_port)) for service in SERVICES
        }
        config = folder / "small.yaml"
        config.write_text(yaml.safe_dump({**bench_catalogue(endpoints), **(sections or {})}), "utf-8")
        yield replace(plan_stack(folder, config), lines=SMALL_STACK), services
