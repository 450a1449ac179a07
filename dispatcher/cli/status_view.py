"""The tables of `dispatcher status`: instances with what is known of them, then services with what waits."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.cli.supervisor.table import duration
from dispatcher.contracts import CONTROL_QUEUE
from dispatcher.state.overview import InstanceView, Overview, State

STYLES: Final[dict[State, str]] = {
    "ready": "green",
    "slow start": "yellow",
    "half-open": "yellow",
    "ejected": "bold red",
    "down": "bold red",
    "draining": "cyan",
    "leaving": "cyan",
}
HIGH_ERROR_RATIO: Final = 0.05
NONE_YET: Final = "no instances yet: they are known when the first process has started"


def status_view(overview: Overview) -> RenderableType:
    """Return the tables as of one moment."""
    instances = instance_table(overview) if overview.instances else Text(NONE_YET, style="yellow")
    return Group(instances, Text(""), service_table(overview))


def instance_table(overview: Overview) -> Table:
    """Return one row for each instance, in the order of the YAML."""
    table = _table("instance", "state", "priority")
    for heading in ("weight", "in flight", "ewma ms", "errors"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("last reason")
    for service in overview.services:
        for instance in service.instances:
            table.add_row(*_instance_row(instance))
    return table


def service_table(overview: Overview) -> Table:
    """Return one row for each queue: the services, then control."""
    table = _table("service", "algorithm")
    for heading in ("queued tasks", "waiting calls"):
        table.add_column(heading, justify="right", no_wrap=True)
    for service in overview.services:
        queued = overview.queues[service.service]
        table.add_row(
            service.service, service.algorithm or "–", _pressure(queued), _pressure(service.waiting)
        )
    table.add_row(CONTROL_QUEUE, "", _pressure(overview.queues[CONTROL_QUEUE]), "")
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table


def _instance_row(instance: InstanceView) -> tuple[str | Text, ...]:
    full = instance.in_flight >= instance.cap
    latency = instance.latency_ewma_ms
    failing = instance.error_ratio >= HIGH_ERROR_RATIO
    return (
        Text(instance.name, style="bold"),
        Text(state_text(instance), style=STYLES[instance.state]),
        instance.priority,
        weight_text(instance),
        Text(f"{instance.in_flight}/{instance.cap}", style="yellow" if full else ""),
        "–" if latency is None else f"{latency:.0f}",
        Text(f"{instance.error_ratio * 100:.1f} %", style="red" if failing else ""),
        Text(reason_text(instance)),
    )


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
    ago = "" if instance.failed_s_ago is None else f", {duration(instance.failed_s_ago)} ago"
    if instance.last_reason:
        return f"{instance.last_reason}{ago}"
    if instance.check_run < 0:
        return f"{_count(-instance.check_run, 'health check')} failed in a row"
    if instance.failures:
        return f"{_count(instance.failures, 'call')} failed in a row{ago}"
    return f"a call failed{ago}" if ago else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _pressure(number: int) -> Text:
    return Text(str(number), style="yellow" if number else "")
