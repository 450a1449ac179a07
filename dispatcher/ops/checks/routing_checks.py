"""Checks of phase 3: algorithms, weights, health checks, KPIs, the tuner, and an answered turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dispatcher.messages import SERVICES
from dispatcher.ops.checks.deployment_snapshot import Snapshot
from dispatcher.ops.checks.finding import Finding, age_text, judged, not_applicable
from dispatcher.telemetry.kpi_table import state_text, value_text

WEIGHTS_MAX_AGE_S: Final = 180.0
KPIS_MAX_AGE_S: Final = 20.0


def algorithms(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare the algorithm of each service with the YAML's."""
    for view in snapshot.overview.services:
        yaml = snapshot.file or snapshot.catalogue
        wanted = yaml.services[view.service].algorithm if yaml else "that of the YAML"
        yield judged(
            f"{view.service} algorithm",
            good=view.algorithm == wanted,
            saw=view.algorithm or "none published",
            expected=wanted,
        )


def dynamic_weights(snapshot: Snapshot) -> Iterator[Finding]:
    """Check the age of the last adjustment of weights."""
    oldest = max((one.adjusted_s_ago or float("inf") for one in snapshot.instances), default=float("inf"))
    never = [one.view.name for one in snapshot.instances if one.adjusted_s_ago is None]
    yield judged(
        "weights are adjusted",
        good=oldest <= WEIGHTS_MAX_AGE_S,
        saw=f"never: {', '.join(never)}"
        if never
        else age_text(oldest)
        if snapshot.instances
        else "no instance",
        expected="every 60 s; the first time a minute after the start",
    )


def health_checks(snapshot: Snapshot) -> Iterator[Finding]:
    """Check the age of the last health check of each instance."""
    interval_s = snapshot.catalogue.health.interval_s if snapshot.catalogue else 30.0
    for one in snapshot.instances:
        ago = one.checked_s_ago
        yield judged(
            f"{one.view.name} is checked",
            good=ago is not None and ago <= 3 * interval_s,
            saw=f"{age_text(ago)}, run of {one.view.check_run:+d}",
            expected=f"every {interval_s:g} s",
        )


def outliers(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that outlier detection ejects no instance."""
    troubled = [
        f"{one.name} {one.state}"
        for one in snapshot.overview.instances
        if one.state in ("ejected", "half-open", "slow", "slow start")
    ]
    yield judged(
        "no outlier",
        good=not any("ejected" in each for each in troubled),
        saw=", ".join(troubled) or "none",
        expected="nothing ejected; half-open, slow and slow start pass by themselves",
    )


def figures(snapshot: Snapshot) -> Iterator[Finding]:
    """Compare every KPI with its target."""
    kpis = snapshot.kpis
    if kpis is None:
        yield judged("figures", good=False, saw="nobody judges", expected="the control worker, every 5 s")
        return
    for status in kpis.standings:
        kpi, state = status.kpi, state_text(status)
        name = f"figure {kpi.name}"
        expected = f"up to {value_text(kpi.target, kpi.unit)}, alert {value_text(kpi.alert, kpi.unit)}"
        saw = f"{value_text(kpi.value, kpi.unit)} ({state})"
        if kpi.value is None or not kpi.judged:
            yield not_applicable(name, f"{saw}{f', {kpi.detail}' if kpi.detail else ''}", expected)
        else:
            yield judged(name, good=kpi.value <= kpi.target, saw=saw, expected=expected)


def tuner(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that the tuner samples, and report its last decision."""
    configured = snapshot.catalogue.tuner.mode if snapshot.catalogue else "observe"
    mode = snapshot.overrides.tuner_mode or configured
    if mode == "off":
        yield not_applicable("tuner", "off", "observe or act")
        return
    last = snapshot.tuner_rows[-1].latest if snapshot.tuner_rows else None
    said = (
        f"; last: {last.event} {last.action.in_words()} ({last.cause})" if last else "; decided nothing yet"
    )
    yield judged(
        "tuner",
        good=bool(snapshot.tuner.history),
        saw=f"{mode}, {len(snapshot.tuner.history)} samples{said}",
        expected="a sample every 60 s",
    )


def tuner_actions(snapshot: Snapshot) -> Iterator[Finding]:
    """Report which actions of the tuner cannot act here."""
    name, expected = "tuner's actions", "every kind of action can act here"
    if not snapshot.tuner.missing:
        yield judged(name, good=True, saw="all can act", expected=expected)
    else:
        saw = "; ".join(f"{kind}: {reason}" for kind, reason in snapshot.tuner.missing)
        yield not_applicable(name, saw, expected)


def flower(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that Flower asks for a password."""
    name, status = "Flower protected", snapshot.flower.status
    if not status:
        yield not_applicable(name, f"nothing listens at {snapshot.scope.flower_url}", "401")
    else:
        yield judged(name, good=status == 401, saw=str(status), expected="401 without a password")


def turn(snapshot: Snapshot) -> Iterator[Finding]:
    """Check the typed turn of a simulated device."""
    seen = snapshot.turn
    expected = "a stock device types a question and hears an answer"
    if seen.result is None:
        yield judged("a real turn", good=False, saw=seen.problem, expected=expected)
        return
    first = seen.result.first_audio_ms
    heard = (
        "no audio" if first is None else f"first audio after {first:.0f} ms, end {seen.result.end_ms:.0f} ms"
    )
    saw = heard if seen.is_answered else f"{heard}, an apology or silence"
    yield judged("a real turn", good=seen.is_answered, saw=f"{saw} ({seen.address})", expected=expected)


def monitoring(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that KPIs are fresh and that every stage records decisions."""
    kpis = snapshot.kpis
    age_s = None if kpis is None else max(0.0, snapshot.now_s - kpis.judged_at_s)
    yield judged(
        "figures are fresh",
        good=age_s is not None and age_s <= KPIS_MAX_AGE_S,
        saw=age_text(age_s),
        expected="every 5 s",
    )
    counts = ", ".join(f"{service} {len(snapshot.decisions[service])}" for service in SERVICES)
    yield judged(
        "decisions are recorded",
        good=bool(snapshot.decisions["llm"]) and bool(snapshot.decisions["tts"]),
        saw=counts,
        expected="calls of each service, for `dispatcher why`",
    )
