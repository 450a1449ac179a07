"""The tables of `dispatcher status`: instances, the figures, then services with what waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final, Literal, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.messages import CONTROL_QUEUE
from dispatcher.routing.overview import InstanceView, Overview, State
from dispatcher.terminal.console import duration
from dispatcher.terminal.responsive_table import ResponsiveTable

STYLES: Final[dict[State, str]] = {
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
SPARE: Final = (
    *(LAST_REASON, "mem", "cpu", "p95 ms", "priority", "ewma ms"),
    *("weight", "errors", "in flight"),
)
NONE_YET: Final = "no instances yet: they are known when the first process has started"


def status_view(overview: Overview, figures: RenderableType) -> RenderableType:
    """Return the tables as of one moment; the figures stand under the instances."""
    instances: RenderableType = Text(NONE_YET, style="yellow")
    if overview.instances:
        instances = ResponsiveTable(partial(instance_view, overview.instances), spare=SPARE)
    services = ResponsiveTable(partial(service_tables, overview), spare=("algorithm",))
    return Group(instances, Text(""), figures, Text(""), services)


def instance_view(
    instances: Sequence[InstanceView], left_out: AbstractSet[str]
) -> tuple[RenderableType, ...]:
    """Return one row for each instance, in the order of the YAML; reasons that do not fit stand below."""
    table = _instance_table(instances, left_out)
    if LAST_REASON not in left_out:
        return (table,)
    reasons = Table.grid(padding=(0, 2))
    reasons.add_column(no_wrap=True)
    reasons.add_column(overflow="fold")
    for one in instances:
        if reason_text(one):
            reasons.add_row(Text(one.name, style="bold"), Text(reason_text(one)))
    return (table, Text(""), reasons) if reasons.row_count else (table,)


def _instance_table(instances: Sequence[InstanceView], left_out: AbstractSet[str]) -> Table:
    shown = [
        column
        for column in _COLUMNS
        if column.heading not in left_out and any(column.tells(one) for one in instances)
    ]
    table = _table("instance", "state")
    for column in shown:
        table.add_column(column.heading, justify=column.justify, no_wrap=True)
    for instance in instances:
        table.add_row(*_instance_row(instance, shown))
    return table


def service_tables(overview: Overview, left_out: AbstractSet[str]) -> tuple[Table]:
    """Return a table with one row for each queue: the services, then control."""
    has_algorithm = "algorithm" not in left_out
    table = _table("service", *(["algorithm"] if has_algorithm else []))
    # Nobody needs a column of zeros: it comes with the first message that could not be read.
    dropped = overview.dropped
    for heading in ("queued tasks", "waiting calls", *(["unreadable messages"] if dropped else [])):
        table.add_column(heading, justify="right", no_wrap=True)

    def add_row(name: str, algorithm: str, *counts: Text) -> None:
        table.add_row(
            name,
            *([algorithm] if has_algorithm else []),
            *counts,
            *([_pressure(dropped.get(name, 0))] if dropped else []),
        )

    for service in overview.services:
        queued = _pressure(overview.queues[service.service])
        add_row(service.service, service.algorithm or "–", queued, _pressure(service.waiting))
    add_row(CONTROL_QUEUE, "", _pressure(overview.queues[CONTROL_QUEUE]), Text(""))
    if OTHER_QUEUE in dropped:
        add_row(OTHER_QUEUE, "", Text(""), Text(""))
    return (table,)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


class _Column(NamedTuple):
    """One fact of an instance; a column in which no instance has anything to tell is left out."""

    heading: str
    text: Callable[[InstanceView], str | Text]
    tells: Callable[[InstanceView], bool] = lambda _: True
    justify: Literal["left", "right"] = "right"


def _instance_row(instance: InstanceView, shown: Sequence[_Column]) -> tuple[str | Text, ...]:
    return (
        Text(instance.name, style="bold"),
        Text(state_text(instance), style=STYLES[instance.state]),
        *(column.text(instance) for column in shown),
    )


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
        return f"{_count(-instance.check_run, 'health check')} failed in a row"
    if instance.failures:
        return f"{_count(instance.failures, 'call')} failed in a row{ago}"
    return f"a call failed{ago}" if ago else ""


def _is_over(instance: InstanceView) -> bool:
    """Return whether what went wrong is older than the last success, of an instance that has calls."""
    failed, succeeded = instance.failed_s_ago, instance.succeeded_s_ago
    is_well = instance.state in {"ready", "slow start"} and not instance.failures and instance.check_run >= 0
    return is_well and failed is not None and succeeded is not None and succeeded < failed


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _pressure(number: int) -> Text:
    return Text(str(number), style="yellow" if number else "")


_COLUMNS: Final = (
    _Column("priority", lambda one: one.priority, lambda one: one.priority != "normal", "left"),
    _Column("weight", weight_text),
    _Column("in flight", _in_flight),
    _Column("ewma ms", lambda one: _ms(one.latency_ewma_ms)),
    _Column("p95 ms", lambda one: _ms(one.latency_p95_ms), lambda one: one.latency_p95_ms is not None),
    _Column("errors", _errors),
    _Column("cpu", lambda one: _percent(one.cpu_ratio), lambda one: one.cpu_ratio is not None),
    _Column("mem", lambda one: _percent(one.memory_ratio), lambda one: one.memory_ratio is not None),
    _Column(LAST_REASON, lambda one: Text(reason_text(one)), justify="left"),
)
