"""`dispatcher status`: every instance as the pick script sees it, once or live."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Final

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from dispatcher.errors import StateError
from dispatcher.host_metrics.disk import sample_disk
from dispatcher.ops.redis_session import explain, with_redis
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import read_overview
from dispatcher.routing.overview_tables import status_view
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.telemetry.kpi_store import read_snapshot
from dispatcher.telemetry.kpi_table import kpi_view
from dispatcher.terminal.console import make_console

EVERY_S: Final = 1.0
Show = Callable[[RedisClient], Awaitable[None]]


@click.command("status")
@click.option("--watch", is_flag=True, help="Go on, once a second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on a line instead of tables.")
def status(*, watch: bool, as_json: bool) -> None:
    """Show instances, figures with their alerts, queues and waiting calls.

    STATE is ready, slow (to its first result, beside another instance of its
    priority, and spared while that one is free), slow start, half-open, ejected,
    down (by health checks), draining (by an operator), or leaving (out of the
    YAML, with calls under way).
    A narrow terminal shows fewer columns; --json has everything.
    """
    show = _show_json if as_json else _show_table
    if not watch:
        with_redis(show)
        return
    with suppress(KeyboardInterrupt):
        with_redis(_repeat(show) if as_json else _watch)


async def _show_json(redis: RedisClient) -> None:
    overview, board = await asyncio.gather(read_overview(redis), read_snapshot(redis))
    known = {**asdict(overview), "kpis": None if board is None else asdict(board)}
    click.echo(json.dumps(known, ensure_ascii=False))


async def _show_table(redis: RedisClient) -> None:
    make_console().print(await _view(redis))


async def _view(redis: RedisClient) -> RenderableType:
    overview, board = await asyncio.gather(read_overview(redis), read_snapshot(redis))
    view = status_view(overview, kpi_view(board))
    data_dir = resolve_settings().data_dir
    disk = sample_disk(data_dir)
    if disk is None or not disk.trouble:
        return view
    told = f"{data_dir}: {disk.trouble}: turns go on, logs, records and dialogues are not kept"
    return Group(Text(told, style="bold red"), Text(""), view)


def _repeat(show: Show) -> Show:
    async def forever(redis: RedisClient) -> None:
        while True:
            await show(redis)
            await asyncio.sleep(EVERY_S)

    return forever


async def _watch(redis: RedisClient) -> None:
    """Draw the table over and over; a Redis that goes away is shown, and looked for again."""
    console = make_console()
    if not console.is_terminal:
        await _repeat(_show_table)(redis)
    redis_url = resolve_settings().redis_url
    view = await _view(redis)
    with Live(view, console=console, auto_refresh=False, screen=False) as live:
        while True:
            await asyncio.sleep(EVERY_S)
            live.update(await _view_or_reason(redis, redis_url), refresh=True)


async def _view_or_reason(redis: RedisClient, redis_url: str) -> RenderableType:
    try:
        return await _view(redis)
    except StateError as error:
        return Text(explain(error, redis_url), style="red")
