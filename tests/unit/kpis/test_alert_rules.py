"""When alerts begin and end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from dispatcher.catalogue.model import AlertRules
from dispatcher.kpis.alert_rules import RESOLVED_SHOWN_S, Alert, alert_change, next_alert
from dispatcher.kpis.kpi_rules import Kpi

RULES = AlertRules(after_s=10, clear_after_s=20, hysteresis_ratio=0.1)
TICK_S = 5.0


def cpu(value: float | None, *, judged: bool = True, alert: float | None = 0.9) -> Kpi:
    return Kpi(name="cpu", unit="ratio", value=value, target=0.8, alert=alert, judged=judged)


def phases(
    figures: Iterable[Kpi], before: Alert | None = None, *, rules: AlertRules = RULES
) -> Iterator[str]:
    """Yield the phase after each look, five seconds apart."""
    alert = before or Alert()
    for look, kpi in enumerate(figures):
        alert = next_alert(alert, kpi, rules, now_s=look * TICK_S)
        yield alert.phase


def test_a_figure_fires_after_it_was_beyond_its_bound_for_long_enough() -> None:
    assert list(phases([cpu(0.5), *[cpu(0.95)] * 4])) == ["ok", "pending", "pending", "firing", "firing"]


def test_a_bound_is_still_good() -> None:
    assert list(phases([cpu(0.9)] * 5)) == ["ok"] * 5


def test_a_short_peak_tells_nobody() -> None:
    assert list(phases([cpu(0.95), cpu(0.5), cpu(0.95), cpu(0.5)])) == ["pending", "ok"] * 2


def test_without_a_delay_it_fires_at_once() -> None:
    assert list(phases([cpu(0.95)], rules=AlertRules(after_s=0))) == ["firing"]


def test_just_below_the_bound_is_not_back() -> None:
    firing = Alert(phase="firing", since_s=-100)
    assert list(phases([cpu(0.85)] * 20, firing)) == ["firing"] * 20


def test_it_ends_after_it_was_back_for_long_enough_without_a_break() -> None:
    firing = Alert(phase="firing", since_s=-100)
    back = [cpu(0.5)] * 4
    assert list(phases([*back, cpu(0.85), *back, cpu(0.5)], firing))[-2:] == ["firing", "resolved"]


@pytest.mark.parametrize("nothing", [cpu(None), cpu(0.95, judged=False), cpu(0.95, alert=None)])
def test_what_is_not_known_or_not_judged_counts_as_back(nothing: Kpi) -> None:
    assert list(phases([nothing] * 2)) == ["ok", "ok"]
    assert list(phases([nothing] * 5, Alert(phase="firing", since_s=-100)))[-1] == "resolved"


def test_an_end_is_shown_for_a_while_and_can_become_an_alert_again() -> None:
    resolved = Alert(phase="resolved", since_s=0)
    assert next_alert(resolved, cpu(0.5), RULES, now_s=RESOLVED_SHOWN_S - 1).phase == "resolved"
    assert next_alert(resolved, cpu(0.5), RULES, now_s=RESOLVED_SHOWN_S) == Alert(since_s=RESOLVED_SHOWN_S)
    assert next_alert(resolved, cpu(0.95), RULES, now_s=30).phase == "pending"


def test_an_instance_out_of_none_allowed_fires_and_ends() -> None:
    out = Kpi(name="instances_healthy", unit="count", value=1, target=0, alert=0)
    well = Kpi(name="instances_healthy", unit="count", value=0, target=0, alert=0)
    assert list(phases([*[out] * 3, *[well] * 5]))[2:] == ["firing"] * 5 + ["resolved"]


def test_a_figure_that_swings_around_its_bound_fires_once() -> None:
    swinging = [cpu(0.95), cpu(0.95), cpu(0.95), *[cpu(0.95), cpu(0.85)] * 50]
    said = list(phases(swinging))
    assert said.count("resolved") == 0
    assert "ok" not in said[2:]


def test_only_begin_and_end_of_an_alert_are_told() -> None:
    ok, pending = Alert(), Alert(phase="pending")
    firing, resolved = Alert(phase="firing"), Alert(phase="resolved")
    assert alert_change(ok, pending) is None
    assert alert_change(pending, firing) == "firing"
    assert alert_change(firing, firing) is None
    assert alert_change(firing, resolved) == "resolved"
    assert alert_change(resolved, ok) is None
