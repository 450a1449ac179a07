"""An instance as the overview shows it, for tests that change what they are about."""

from __future__ import annotations

from dispatcher.routing.overview import InstanceView

READY = InstanceView(
    service="llm",
    name="llm-1",
    endpoint="http://127.0.0.1:9",
    priority="normal",
    weight=1,
    effective_weight=1,
    cap=4,
    in_flight=0,
    state="ready",
    back_in_s=None,
    latency_ewma_ms=None,
    error_ratio=0,
    failures=0,
    check_run=0,
    last_reason="",
    failed_s_ago=None,
)
