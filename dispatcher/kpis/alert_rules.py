"""Phases of an alert: ok, pending, firing, resolved, with a hysteresis against flapping."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from dispatcher.catalogue.model import AlertRules
from dispatcher.kpis.kpi_rules import Kpi

Phase = Literal["ok", "pending", "firing", "resolved"]
AlertChange = Literal["firing", "resolved"]

# A resolved alert stays to be seen for so long.
RESOLVED_SHOWN_S: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The alert of one KPI.

    Attributes:
        since_s: Unix time at which the phase began.
        calm_since_s: while it fires, since when the KPI is back below its bound.
    """

    phase: Phase = "ok"
    since_s: float = 0.0
    calm_since_s: float | None = None


def next_alert(before: Alert, kpi: Kpi, rules: AlertRules, *, now_s: float) -> Alert:
    """Return the alert after one more evaluation of its KPI.

    One that is unknown or not judged counts as back: nothing is seen of the trouble any more.
    """
    if before.phase == "firing":
        return _while_firing(before, kpi, rules, now_s)
    if _is_above(kpi, kpi.alert):
        return _while_above(before, rules, now_s)
    if before.phase == "resolved" and now_s - before.since_s < RESOLVED_SHOWN_S:
        return before
    return before if before.phase == "ok" else Alert(since_s=now_s)


def alert_change(before: Alert, after: Alert) -> AlertChange | None:
    """Return what to notify of, if anything: only the begin and the end of an alert."""
    if before.phase == after.phase:
        return None
    return after.phase if after.phase in ("firing", "resolved") else None


def _while_above(before: Alert, rules: AlertRules, now_s: float) -> Alert:
    pending = before if before.phase == "pending" else Alert(phase="pending", since_s=now_s)
    if now_s - pending.since_s >= rules.after_s:
        return Alert(phase="firing", since_s=now_s)
    return pending


def _while_firing(before: Alert, kpi: Kpi, rules: AlertRules, now_s: float) -> Alert:
    bound = None if kpi.alert is None else kpi.alert * (1 - rules.hysteresis_ratio)
    if _is_above(kpi, bound):
        return replace(before, calm_since_s=None)
    calm_since_s = now_s if before.calm_since_s is None else before.calm_since_s
    if now_s - calm_since_s >= rules.clear_after_s:
        return Alert(phase="resolved", since_s=now_s)
    return replace(before, calm_since_s=calm_since_s)


def _is_above(kpi: Kpi, bound: float | None) -> bool:
    return kpi.judged and kpi.value is not None and bound is not None and kpi.value > bound
