"""What a front says of itself on the port of its metrics."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp import ClientConnectionError, ClientSession, web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from dispatcher.catalogue import load_catalogue
from dispatcher.event_loop import LAG_INTERVAL_S, LoopLag
from dispatcher.front.connection.front_context import CONTEXT, FrontContext
from dispatcher.front.http.metrics import FrontCollector, add_metrics
from dispatcher.settings import Settings
from tests.support.processes import ROOT, free_port

REFUSED: Final = "connections refused, the address has too many"


@pytest.fixture
async def context() -> AsyncIterator[FrontContext]:
    """A front that connects to nothing, with a port for its metrics."""
    settings = Settings(front_auth="off", metrics_port=free_port())
    made = FrontContext.create(settings, load_catalogue(ROOT / "config/embedded.yaml", {}))
    yield made
    await made.close()


async def test_refusals_are_counted_by_their_reason_and_never_by_address(context: FrontContext) -> None:
    context.connection_limiter.refusals.note(REFUSED, "10.0.0.9")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FrontCollector(context, LoopLag()))
    assert registry.get_sample_value("xiaozhi_front_refusals_total", {"reason": REFUSED}) == 1
    assert registry.get_sample_value("xiaozhi_front_devices") == 0
    assert registry.get_sample_value("xiaozhi_front_devices_limit") == context.max_devices


async def test_the_metrics_have_a_port_of_their_own_as_long_as_the_front(context: FrontContext) -> None:
    app = web.Application()
    app[CONTEXT] = context
    add_metrics(app)
    url = f"http://127.0.0.1:{context.settings.metrics_port}/metrics"
    async with ClientSession() as session:
        async with TestServer(app), session.get(url) as response:
            text = await response.text()
        with pytest.raises(ClientConnectionError):
            await session.get(url)
    assert "xiaozhi_front_connections 0.0" in text
    assert "process_open_fds" in text


async def test_a_front_whose_port_of_metrics_is_taken_says_so_and_serves_devices(
    context: FrontContext,
) -> None:
    app = web.Application()
    app[CONTEXT] = context
    add_metrics(app)
    with socket.create_server(("127.0.0.1", context.settings.metrics_port)), capture_logs() as logged:
        async with TestServer(app) as server:
            assert server.started
    (line,) = logged
    assert (line["event"], line["METRICS_PORT"]) == ("metrics are not served", context.settings.metrics_port)


async def test_a_lag_of_the_loop_is_shown_once() -> None:
    lag = LoopLag()
    watching = asyncio.create_task(lag.watch())
    loop = asyncio.get_running_loop()
    await asyncio.sleep(0)
    busy_until = loop.time() + LAG_INTERVAL_S + 0.1
    while loop.time() < busy_until:
        pass
    await asyncio.sleep(0.01)
    assert lag.take() >= 0.05
    assert lag.take() == 0
    watching.cancel()


async def test_the_step_of_overload_and_how_often_each_was_come_to_are_shown(context: FrontContext) -> None:
    context.ladder.pin(3)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FrontCollector(context, LoopLag()))
    assert registry.get_sample_value("xiaozhi_front_overload_step") == 3
    assert registry.get_sample_value("xiaozhi_front_overload_steps_total", {"step": "3"}) == 1
    assert registry.get_sample_value("xiaozhi_front_overload_steps_total", {"step": "5"}) == 0
