"""Phase 3: algorithms, weights that move, checks that run, figures, the tuner, and an answered turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dispatcher.messages import SERVICES
from dispatcher.ops.checks.check_row import Finding, judged, not_applicable, row, seconds
from dispatcher.ops.checks.snapshot import Evidence
from dispatcher.telemetry.kpi_table import state_text, value_text

ADJUSTED_WITHIN_S: Final = 180.0
BOARD_WITHIN_S: Final = 20.0


@row("3")
def algorithms(evidence: Evidence) -> Iterator[Finding]:
    """Compare the algorithm of each service with the YAML's."""
    for view in evidence.overview.services:
        yaml = evidence.file or evidence.catalogue
        wanted = yaml.services[view.service].algorithm if yaml else "that of the YAML"
        yield judged(
            f"{view.service} algorithm",
            good=view.algorithm == wanted,
            saw=view.algorithm or "none published",
            expected=wanted,
        )


@row("3")
def dynamic_weights(evidence: Evidence) -> Iterator[Finding]:
    """Look when weights were last adjusted."""
    oldest = max((one.adjusted_s_ago or float("inf") for one in evidence.instances), default=float("inf"))
    never = [one.view.name for one in evidence.instances if one.adjusted_s_ago is None]
    yield judged(
        "weights are adjusted",
        good=oldest <= ADJUSTED_WITHIN_S,
        saw=f"never: {', '.join(never)}"
        if never
        else seconds(oldest)
        if evidence.instances
        else "no instance",
        expected="every 60 s; the first time a minute after the start",
    )


@row("3")
def health_checks(evidence: Evidence) -> Iterator[Finding]:
    """Look when each instance was last asked how it is."""
    interval_s = evidence.catalogue.health.interval_s if evidence.catalogue else 30.0
    for one in evidence.instances:
        ago = one.checked_s_ago
        yield judged(
            f"{one.view.name} is checked",
            good=ago is not None and ago <= 3 * interval_s,
            saw=f"{seconds(ago)}, run of {one.view.check_run:+d}",
            expected=f"every {interval_s:g} s",
        )


@row("3")
def outliers(evidence: Evidence) -> Iterator[Finding]:
    """Look for instances that real calls have found out."""
    troubled = [
        f"{one.name} {one.state}"
        for one in evidence.overview.instances
        if one.state in ("ejected", "half-open", "slow", "slow start")
    ]
    yield judged(
        "no outlier",
        good=not any("ejected" in each for each in troubled),
        saw=", ".join(troubled) or "none",
        expected="nothing ejected; half-open, slow and slow start pass by themselves",
    )


@row("3", "after")
def figures(evidence: Evidence) -> Iterator[Finding]:
    """Compare every figure with its target."""
    board = evidence.board
    if board is None:
        yield judged("figures", good=False, saw="nobody judges", expected="the control worker, every 5 s")
        return
    for standing in board.standings:
        kpi, state = standing.kpi, state_text(standing)
        name = f"figure {kpi.name}"
        expected = f"up to {value_text(kpi.target, kpi.unit)}, alert {value_text(kpi.alert, kpi.unit)}"
        saw = f"{value_text(kpi.value, kpi.unit)} ({state})"
        if kpi.value is None or not kpi.judged:
            yield not_applicable(name, f"{saw}{f', {kpi.detail}' if kpi.detail else ''}", expected)
        else:
            yield judged(name, good=kpi.value <= kpi.target, saw=saw, expected=expected)


@row("3", "after")
def tuner(evidence: Evidence) -> Iterator[Finding]:
    """Look whether the tuner looks round, and what it decided last."""
    configured = evidence.catalogue.tuner.mode if evidence.catalogue else "observe"
    mode = evidence.knobs.tuner_mode or configured
    if mode == "off":
        yield not_applicable("tuner", "off", "observe or act")
        return
    last = evidence.tuner_rows[-1].latest if evidence.tuner_rows else None
    said = (
        f"; last: {last.event} {last.action.in_words()} ({last.cause})" if last else "; decided nothing yet"
    )
    yield judged(
        "tuner",
        good=bool(evidence.tuner.history),
        saw=f"{mode}, {len(evidence.tuner.history)} samples{said}",
        expected="a sample every 60 s",
    )


@row("3", "after")
def flower(evidence: Evidence) -> Iterator[Finding]:
    """Look whether Flower lets strangers in."""
    seen = evidence.flower
    if seen.status is None:
        yield not_applicable("Flower protected", f"nothing listens at {seen.address}", "401")
    else:
        yield judged(
            "Flower protected",
            good=seen.status == 401,
            saw=str(seen.status),
            expected="401 without a password",
        )


@row("3", "after")
def turn(evidence: Evidence) -> Iterator[Finding]:
    """Look at the turn that a device in software held."""
    seen = evidence.turn
    expected = "a stock device types a question and hears an answer"
    if seen.result is None:
        yield judged("a real turn", good=False, saw=seen.trouble, expected=expected)
        return
    first = seen.result.first_audio_ms
    heard = (
        "no audio" if first is None else f"first audio after {first:.0f} ms, end {seen.result.end_ms:.0f} ms"
    )
    saw = heard if seen.is_answered else f"{heard}, an apology or silence"
    yield judged("a real turn", good=seen.is_answered, saw=f"{saw} ({seen.address})", expected=expected)


@row("after")
def monitoring(evidence: Evidence) -> Iterator[Finding]:
    """Look whether the figures are fresh and every stage leaves decisions."""
    board = evidence.board
    age_s = None if board is None else max(0.0, evidence.now_s - board.judged_at_s)
    yield judged(
        "figures are fresh",
        good=age_s is not None and age_s <= BOARD_WITHIN_S,
        saw=seconds(age_s),
        expected="every 5 s",
    )
    counts = ", ".join(f"{service} {len(evidence.decisions[service])}" for service in SERVICES)
    yield judged(
        "decisions are recorded",
        good=bool(evidence.decisions["llm"]) and bool(evidence.decisions["tts"]),
        saw=counts,
        expected="calls of each service, for `dispatcher why`",
    )
