"""Status of a deployment as JSON-ready fields: for `dispatcher status --json` and the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dispatcher.dialogue_store.phrase_figures import PhraseFigures
from dispatcher.routing.budget_views import BudgetView
from dispatcher.routing.overview import Overview
from dispatcher.telemetry.kpi_store import KpiSnapshot
from dispatcher.telemetry.speculation_figures import NO_SPECULATION, SpeculationFigures


def status_fields(
    overview: Overview,
    kpis: KpiSnapshot | None,
    phrases: PhraseFigures | None,
    budgets: Sequence[BudgetView] = (),
    speculation: SpeculationFigures = NO_SPECULATION,
) -> dict[str, Any]:
    """Return all that is known of instances, queues, KPIs, the phrase cache, budgets and speculation."""
    return {
        **asdict(overview),
        "kpis": None if kpis is None else asdict(kpis),
        "phrase_cache": None if phrases is None else asdict(phrases),
        "budgets": budget_fields(budgets),
        "speculation": asdict(speculation),
    }


def budget_fields(budgets: Sequence[BudgetView]) -> list[dict[str, Any]]:
    """Return what is spent of each budget, and what that does."""
    return [{**asdict(each), "state": each.state} for each in budgets]
