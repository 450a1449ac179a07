"""Tables of `dispatcher status`: instances, KPIs, then services with their queues."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.messages import CONTROL_QUEUE
from dispatcher.routing.overview import InstanceView, Overview, State
from dispatcher.terminal.console import duration
from dispatcher.terminal.tables import Column, ResponsiveTable, table_of

INSTANCE_STYLES: Final[dict[State, str]] = {
    "ready": "green",
    "slow": "yellow",
    "slow start": "yellow",
    "half-open": "yellow",
    "ejected": "bold red",
    "down": "bold red",
    "failing": "bold red",
    "not configured": "bold red",
    "draining": "cyan",
    "leaving": "cyan",
}
HIGH_ERROR_RATIO: Final = 0.05
LAST_REASON: Final = "last reason"
# Messages that do not say which queue they were for.
OTHER_QUEUE: Final = "other"
# What a narrow terminal does without, the first first; `--json` has all of it.
SPARE_INSTANCE_COLUMNS: Final = (
    *(LAST_REASON, "mem", "cpu", "p95 ms", "priority", "ewma ms"),
    *("weight", "errors", "in flight"),
)
NONE_YET: Final = "no instances yet: they are known when the first process has started"


def status_view(overview: Overview, kpis: RenderableType) -> RenderableType:
    """Return the tables as of one moment; the KPIs stand under the instances."""
    instances: RenderableType = Text(NONE_YET, style="yellow")
    if overview.instances:
        instances = ResponsiveTable(
            partial(instance_tables, overview.instances), spare=SPARE_INSTANCE_COLUMNS
        )
    services = ResponsiveTable(partial(service_tables, overview), spare=("algorithm",))
    return Group(instances, Text(""), kpis, Text(""), services)


def instance_tables(
    instances: Sequence[InstanceView], left_out: AbstractSet[str]
) -> tuple[RenderableType, ...]:
    """Return one row for each instance, in the order of the YAML; reasons that do not fit stand below."""
    table = table_of(instances, _COLUMNS, left_out=left_out)
    if LAST_REASON not in left_out:
        return (table,)
    reasons = Table.grid(padding=(0, 2))
    reasons.add_column(no_wrap=True)
    reasons.add_column(overflow="fold")
    for one in instances:
        if reason_text(one):
            reasons.add_row(Text(one.name, style="bold"), Text(reason_text(one)))
    return (table, Text(""), reasons) if reasons.row_count else (table,)


class _QueueRow(NamedTuple):
    name: str
    algorithm: str = ""
    queued: Text = Text("")
    waiting: Text = Text("")


def service_tables(overview: Overview, left_out: AbstractSet[str]) -> tuple[Table]:
    """Return a table with one row for each queue: the services, then control."""
    queues, dropped = overview.queues, overview.dropped
    rows = [
        _QueueRow(each.service, each.algorithm or "–", _count(queues[each.service]), _count(each.waiting))
        for each in overview.services
    ]
    rows.append(_QueueRow(CONTROL_QUEUE, queued=_count(queues[CONTROL_QUEUE])))
    if OTHER_QUEUE in dropped:
        rows.append(_QueueRow(OTHER_QUEUE))
    columns: tuple[Column[_QueueRow], ...] = (
        Column("service", lambda row: row.name),
        Column("algorithm", lambda row: row.algorithm),
        Column("queued tasks", lambda row: row.queued, "right"),
        Column("waiting calls", lambda row: row.waiting, "right"),
        # A column of zeros helps nobody: it comes with the first message that could not be read.
        Column(
            "unreadable messages",
            lambda row: _count(dropped.get(row.name, 0)),
            "right",
            is_needed=lambda _: bool(dropped),
        ),
    )
    return (table_of(rows, columns, left_out=left_out),)


def _in_flight(instance: InstanceView) -> Text:
    full = instance.in_flight >= instance.cap
    return Text(f"{instance.in_flight}/{instance.cap}", style="yellow" if full else "")


def _errors(instance: InstanceView) -> Text:
    failing = instance.error_ratio >= HIGH_ERROR_RATIO
    return Text(f"{instance.error_ratio * 100:.1f} %", style="red" if failing else "")


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _percent(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio * 100:.0f} %"


def state_text(instance: InstanceView) -> str:
    """Return the state, and for how long an ejection still lasts."""
    if instance.back_in_s is None or instance.state != "ejected":
        return instance.state
    return f"ejected, {duration(instance.back_in_s)} left"


def held_text(instance: InstanceView) -> str:
    """Return what an operator holds, who said so, and for how long it still lasts."""
    held = {"weight": instance.weight_held, "cap": instance.cap_held}
    return "; ".join(
        f"{name} {each.value:g} by {each.by}"
        + ("" if each.left_s is None else f", {duration(each.left_s)} left")
        for name, each in held.items()
        if each is not None
    )


def weight_text(instance: InstanceView) -> str:
    """Return the configured weight, and what counts now where that differs."""
    if instance.effective_weight == instance.weight:
        return f"{instance.weight:g}"
    return f"{instance.effective_weight:.3g} of {instance.weight:g}"


def reason_text(instance: InstanceView) -> str:
    """Return what last went wrong and when; empty when all is well."""
    if _is_over(instance):
        return ""
    ago = "" if instance.failed_s_ago is None else f", {duration(instance.failed_s_ago)} ago"
    if instance.last_reason:
        return f"{instance.last_reason.removeprefix(f'{instance.name}: ')}{ago}"
    if instance.check_run < 0:
        return f"{_plural(-instance.check_run, 'health check')} failed in a row"
    if instance.failures:
        return f"{_plural(instance.failures, 'call')} failed in a row{ago}"
    return f"a call failed{ago}" if ago else ""


def _is_over(instance: InstanceView) -> bool:
    """Return whether what went wrong is older than the last success, of an instance that has calls."""
    failed, succeeded = instance.failed_s_ago, instance.succeeded_s_ago
    is_well = instance.state in {"ready", "slow start"} and not instance.failures and instance.check_run >= 0
    return is_well and failed is not None and succeeded is not None and succeeded < failed


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _count(number: int) -> Text:
    return Text(str(number), style="yellow" if number else "")


_COLUMNS: Final[tuple[Column[InstanceView], ...]] = (
    Column("instance", lambda one: Text(one.name, style="bold")),
    Column("state", lambda one: Text(state_text(one), style=INSTANCE_STYLES[one.state])),
    Column("priority", lambda one: one.priority, is_needed=lambda one: one.priority != "normal"),
    Column("weight", weight_text, "right"),
    Column("held", held_text, is_needed=lambda one: bool(held_text(one))),
    Column("in flight", _in_flight, "right"),
    Column("ewma ms", lambda one: _ms(one.latency_ewma_ms), "right"),
    Column(
        "p95 ms",
        lambda one: _ms(one.latency_p95_ms),
        "right",
        is_needed=lambda one: one.latency_p95_ms is not None,
    ),
    Column("errors", _errors, "right"),
    Column(
        "cpu", lambda one: _percent(one.cpu_ratio), "right", is_needed=lambda one: one.cpu_ratio is not None
    ),
    Column(
        "mem",
        lambda one: _percent(one.memory_ratio),
        "right",
        is_needed=lambda one: one.memory_ratio is not None,
    ),
    Column(
        "cached",
        lambda one: _percent(one.cached_ratio),
        "right",
        is_needed=lambda one: one.cached_ratio is not None,
    ),
    Column(LAST_REASON, lambda one: Text(reason_text(one))),
)
