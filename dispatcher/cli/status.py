"""`dispatcher status`: every instance as the pick script sees it, once or live."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import click

from dispatcher.ops.live_status import repeat, show_json, show_table
from dispatcher.ops.live_status import watch as watch_tables
from dispatcher.ops.redis_session import with_redis


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
    if not watch:
        with_redis(show_json if as_json else show_table)
        return
    with suppress(KeyboardInterrupt):
        with_redis(partial(repeat, show_json) if as_json else watch_tables)
