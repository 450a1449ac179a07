"""Usage for an operator: since when, by what, and in which form."""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from datetime import date
from typing import Final, Literal, TypeAlias

import click

from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import ConfigError, StateError
from dispatcher.ops.records_admin import opened_store
from dispatcher.ops.redis_session import with_redis
from dispatcher.routing import instance_table
from dispatcher.routing.rules.usage import day_of
from dispatcher.terminal.console import print_view

UsageForm: TypeAlias = Literal["table", "json", "csv"]
_DAYS: Final = re.compile(r"([1-9]\d{0,3})d")
_DAY_S: Final = 24 * 3600
EXPECTED: Final = "a number of days such as 7d, or a day such as 2026-11-01"


def print_usage(*, by: Literal["device", "persona", "instance", "day"], since: str, form: UsageForm) -> None:
    """Print what was used.

    Raises:
        RecordsError: the store is unreachable, or has no tables yet.
        ConfigError: `since` is no time.
    """
    catalogue = _active_catalogue()
    zone = catalogue.conversation.timezone or "" if catalogue else ""
    currency = catalogue.usage.currency if catalogue else "cost"
    since_day = first_day(since, time.time(), zone)
    with opened_store() as (store, _):
        from dispatcher.records import usage, usage_tables  # noqa: PLC0415  behind the check for the extra

        totals = usage.read_totals(store.engine, by=by, since_day=since_day)
    if form == "json":
        answer = usage_tables.as_json(totals, by=by, since_day=since_day, currency=currency)
        click.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    elif form == "csv":
        click.echo(usage_tables.as_csv(totals, by=by), nl=False)
    else:
        print_view(usage_tables.usage_view(totals, by=by, currency=currency))


def first_day(since: str, now_s: float, timezone: str) -> str:
    """Return the first day of a span such as `7d`, today included, or the day that is written.

    Raises:
        ConfigError: it is neither.
    """
    if match := _DAYS.fullmatch(since):
        return day_of(now_s - (int(match[1]) - 1) * _DAY_S, timezone)
    try:
        return date.fromisoformat(since).isoformat()
    except ValueError as error:
        raise ConfigError([f"--since: was {since!r}; expected {EXPECTED}"]) from error


def _active_catalogue() -> Catalogue | None:
    """Return the active catalogue; an unreachable Redis keeps nobody from the store."""
    with suppress(StateError, ConfigError):
        active = with_redis(instance_table.read_active)
        return active.catalogue if active else None
    return None
