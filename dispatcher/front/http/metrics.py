"""Metrics that only this front knows, on a port of their own where METRICS_PORT names one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from dispatcher.event_loop import LoopLag
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.routing.rules.overload import OverloadStep

log = structlog.get_logger()


class FrontCollector(Collector):
    """Metrics of one front at a scrape."""

    def __init__(self, context: FrontContext, lag: LoopLag) -> None:
        """Show these."""
        self._context = context
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        context = self._context
        for name, text, value in (
            ("connections", "Connections to the port.", len(context.connection_limiter)),
            ("devices", "Devices that are connected.", len(context.devices)),
            ("devices_limit", "Devices that are let in at most, now.", context.max_devices),
            ("turns_in_progress", "Turns under way.", len(context.turns)),
            ("draining", "1 while it is about to stop.", context.status.draining),
            ("replies_flow", "1 while its stream of replies is open.", context.status.replies_flow),
            ("overload_step", "Step of overload that it has taken, 0 to 5.", context.ladder.step),
            ("loop_lag_seconds", "Longest lag of the event loop since the last scrape.", self._lag.take()),
        ):
            yield GaugeMetricFamily(f"xiaozhi_front_{name}", text, value=float(value))
        yield CounterMetricFamily("xiaozhi_front_turns_begun", "Turns begun.", value=context.turns.begun)
        refusals = CounterMetricFamily(
            "xiaozhi_front_refusals", "Connections, devices and requests refused.", labels=("reason",)
        )
        for reason, count in context.connection_limiter.refusals.totals.items():
            refusals.add_metric((reason,), count)
        yield refusals
        steps = CounterMetricFamily(
            "xiaozhi_front_overload_steps", "Times that each step of overload was come to.", labels=("step",)
        )
        for step in OverloadStep:
            steps.add_metric((str(int(step)),), context.ladder.taken[step])
        yield steps


def add_metrics(app: web.Application) -> None:
    """Serve `/metrics` at METRICS_HOST and METRICS_PORT for the life of the front."""
    app.cleanup_ctx.append(_serve_metrics)


async def _serve_metrics(app: web.Application) -> AsyncIterator[None]:
    context, lag = app[CONTEXT], LoopLag()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FrontCollector(context, lag))
    ProcessCollector(registry=registry)

    async def show(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
        )

    port = web.Application()
    port.router.add_get("/metrics", show)
    runner = web.AppRunner(port, access_log=None, shutdown_timeout=0, auto_decompress=False)
    await runner.setup()
    # While a new front takes over, the one before still ends its turns: both have the port for that time.
    host, number = context.settings.metrics_host, context.settings.metrics_port
    try:
        await web.TCPSite(runner, host, number, reuse_port=True).start()
    except OSError as error:  # devices are served all the same
        said = {"METRICS_HOST": host, "METRICS_PORT": number, "reason": str(error)}
        log.error("metrics are not served", **said)  # noqa: TRY400  the reason says it all
    watch = asyncio.create_task(lag.watch())
    yield
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    await runner.cleanup()
