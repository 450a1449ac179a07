"""Status of a deployment for `dispatcher status`: instances, KPIs and queues, once or again and again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Final, NamedTuple

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from dispatcher.control.overload_status import OverloadStatus, read_overload
from dispatcher.dialogue_store.phrase_figures import PhraseFigures, read_figures_if_there
from dispatcher.errors import StateError
from dispatcher.host_metrics.disk import sample_disk
from dispatcher.ops.redis_session import cache_session, explain
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.budget_views import BudgetView, read_budgets
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.routing.overview_tables import status_view
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.telemetry.kpi_store import KpiSnapshot, read_snapshot
from dispatcher.telemetry.kpi_table import kpi_view
from dispatcher.telemetry.speculation_figures import SpeculationFigures, read_figures
from dispatcher.telemetry.status_fields import status_fields
from dispatcher.telemetry.usage_counters import read_crowding
from dispatcher.terminal.console import make_console

STATUS_INTERVAL_S: Final = 1.0


class _Status(NamedTuple):
    """All that is shown, of one moment."""

    overview: Overview
    kpis: KpiSnapshot | None
    phrases: PhraseFigures | None
    overload: OverloadStatus
    budgets: tuple[BudgetView, ...]
    crowding: str
    speculation: SpeculationFigures


async def show_json(redis: RedisClient) -> None:
    """Print all that is known as one JSON object."""
    seen = await _read(redis)
    found = status_fields(
        seen.overview, seen.kpis, seen.phrases, seen.budgets, speculation=seen.speculation
    ) | {"overload": asdict(seen.overload), "crowding": seen.crowding}
    click.echo(json.dumps(found, ensure_ascii=False))


async def show_table(redis: RedisClient) -> None:
    """Print the tables."""
    make_console().print(await _view(redis))


async def repeat(show: Callable[[RedisClient], Awaitable[None]], redis: RedisClient) -> None:
    """Print again and again, for ever."""
    while True:
        await show(redis)
        await asyncio.sleep(STATUS_INTERVAL_S)


async def watch(redis: RedisClient) -> None:
    """Draw the tables over and over; while Redis is unreachable that is shown in their place."""
    console = make_console()
    if not console.is_terminal:
        await repeat(show_table, redis)
    redis_url = resolve_settings().redis_url
    with Live(await _view(redis), console=console, auto_refresh=False, screen=False) as live:
        while True:
            await asyncio.sleep(STATUS_INTERVAL_S)
            live.update(await view_or_reason(redis, redis_url), refresh=True)


async def view_or_reason(redis: RedisClient, redis_url: str) -> RenderableType:
    """Return the tables, or why there are none."""
    try:
        return await _view(redis)
    except StateError as error:
        return Text(explain(error, redis_url), style="red")


async def _read(redis: RedisClient) -> _Status:
    found = await asyncio.gather(
        read_overview(redis),
        read_snapshot(redis),
        _phrases(redis),
        read_overload(redis),
        read_budgets(redis),
        read_crowding(redis),
    )
    return _Status(*found, await read_figures(redis))


async def _view(redis: RedisClient) -> RenderableType:
    seen = await _read(redis)
    phrases, speculation = seen.phrases, seen.speculation
    lines: list[Text] = []
    if seen.overload.in_words():
        lines += [Text(""), Text(seen.overload.in_words(), style="yellow")]
    if phrases is not None and phrases.hits + phrases.misses:
        lines += [Text(""), Text(phrases.in_words())]
    if seen.budgets:
        lines += [Text(""), *map(_budget_line, seen.budgets)]
    if seen.crowding:
        lines += [Text(""), Text(seen.crowding, style="yellow")]
    if speculation.started:
        lines += [Text(""), Text(speculation.in_words())]
    return Group(*_warning_of_disk(), status_view(seen.overview, kpi_view(seen.kpis)), *lines)


def _warning_of_disk() -> list[Text]:
    data_dir = resolve_settings().data_dir
    disk = sample_disk(data_dir)
    if disk is None or not disk.trouble:
        return []
    warning = f"{data_dir}: {disk.trouble}: turns go on, logs, records and dialogues are not kept"
    return [Text(warning, style="bold red"), Text("")]


def _budget_line(budget: BudgetView) -> Text:
    return Text(budget.in_words(), style={"ok": "", "near": "yellow", "spent": "red"}[budget.state])


async def _phrases(redis: RedisClient) -> PhraseFigures | None:
    async with cache_session(redis) as cache:
        return await read_figures_if_there(cache)
