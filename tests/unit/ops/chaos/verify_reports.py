"""Runs of `dispatcher verify` as tests want them."""

from __future__ import annotations

from dispatcher.catalogue.kpi_targets import KpiTargets
from dispatcher.ops.chaos.chaos_plan import VerifyPlan
from dispatcher.ops.chaos.chaos_test import VerifyReport
from dispatcher.ops.chaos.evaluation import Evaluation, LoadSample, WindowSnapshot, evaluate
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Outcome, Window
from dispatcher.routing.overview import Overview

NOTHING = Overview(services=(), queues={})
LOAD = LoadSample(at_s=1000.0, cpu_ratio=0.5, memory_ratio=0.4, network_ratio=None, busy_devices=2)


def turn(at_s: float, outcome: Outcome = "answered", *, device: int = 0, lasted_s: float = 1.0) -> DeviceTurn:
    """Return a turn that ended at a time."""
    heard = outcome in ("answered", "apologised")
    return DeviceTurn(
        device=device,
        asked_at_s=at_s - lasted_s,
        ended_at_s=at_s,
        outcome=outcome,
        first_audio_ms=400.0 if heard else None,
        reason="" if heard else "<no> answer",
    )


def window(fault: str = "kill", began_at_s: float = 1000.0, *, well_s: float | None = 2.0) -> Window:
    """Return a window of thirty seconds whose fault was in place for fifteen."""
    return Window(
        fault=fault,
        what=f"{fault} <it>",
        began_at_s=began_at_s,
        undone_at_s=began_at_s + 15,
        ended_at_s=began_at_s + 30,
        well_s=well_s,
    )


def judged(of: Window, *turns: DeviceTurn) -> Evaluation:
    """Return what is said of a window in which the host was at ease."""
    seen = WindowSnapshot(turns=(), load=(LOAD,), before=NOTHING, after=NOTHING)
    return evaluate(of, turns, seen, KpiTargets())


def report(*windows: Evaluation, turns: tuple[DeviceTurn, ...] = ()) -> VerifyReport:
    """Return a whole run."""
    return VerifyReport(
        plan=VerifyPlan(),
        began_at_s=970.0,
        ended_at_s=1060.0,
        evaluations=windows,
        turns=turns,
        repeated=0,
    )
