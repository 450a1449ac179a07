"""Status of a deployment as JSON-ready fields: for `dispatcher status --json` and the console."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dispatcher.dialogue_store.phrase_figures import PhraseFigures
from dispatcher.routing.overview import Overview
from dispatcher.telemetry.kpi_store import KpiSnapshot


def status_fields(
    overview: Overview, kpis: KpiSnapshot | None, phrases: PhraseFigures | None
) -> dict[str, Any]:
    """Return all that is known of instances, queues, KPIs and the phrase cache."""
    return {
        **asdict(overview),
        "kpis": None if kpis is None else asdict(kpis),
        "phrase_cache": None if phrases is None else asdict(phrases),
    }
