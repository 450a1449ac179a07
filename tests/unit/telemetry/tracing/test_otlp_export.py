"""Export by the standard variables: what switches it on, what a collector is sent, and one that is gone."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.telemetry.tracing.otlp_export import OtlpExport, is_wanted, start_tracer
from dispatcher.telemetry.tracing.span_record import SpanRecord
from tests.support.processes import free_port
from tests.support.services.otlp_collector import OtlpCollector
from tests.support.waiting import soon
from tests.unit.telemetry.tracing.test_spans import ROOT, TURN

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
SPAN = SpanRecord(
    name="chat qwen",
    kind="CLIENT",
    span=ROOT.child("call"),
    parent=ROOT.number,
    started_s=100.0,
    ended_s=101.5,
    attributes={"gen_ai.usage.input_tokens": 40},
    moments=(("first audio", 100.5),),
    linked=ROOT.child("other").number,
    error="InstanceFailed",
    error_text="HTTP 500",
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, False),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_an_endpoint_switches_it_on(environ: dict[str, str], expected: bool) -> None:  # noqa: FBT001
    assert is_wanted(environ) is expected


def test_what_is_off_loads_nothing_and_what_cannot_be_used_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert start_tracer({}, service_name="front") is None
    with capture_logs() as logs:
        grpc = {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        assert start_tracer(grpc, service_name="front") is None
        monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
        assert start_tracer(ENDPOINT, service_name="front") is None
    assert [each["event"] for each in logs] == ["turns are not traced"] * 2
    assert (logs[0]["protocol"], logs[1]["extra"]) == ("grpc", "otel")


async def test_a_collector_is_sent_the_span_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async with OtlpCollector.serving() as collector:
        for name, value in collector.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=home")
        export = OtlpExport("xiaozhi-front")
        assert export.is_sampled(ROOT)
        export.add(SPAN)
        await export.close()
        (span,) = collector.of(TURN)
    assert (span.service, span.name, span.number, span.parent) == (
        "xiaozhi-front",
        "chat qwen",
        SPAN.span.number,
        ROOT.number,
    )
    assert span.attributes == {"gen_ai.usage.input_tokens": 40, "error.type": "InstanceFailed"}
    assert (span.moments, span.links) == (("first audio",), (SPAN.linked,))
    assert (span.is_error, span.error_text, span.seconds) == (True, "HTTP 500", 1.5)


async def test_the_sampler_of_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{free_port()}")
    export = OtlpExport("xiaozhi-front")
    assert not export.is_sampled(ROOT)
    await export.close()


async def test_a_collector_that_refuses_costs_one_line_and_one_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with OtlpCollector.serving() as collector:
        for name, value in {**collector.environ, "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}.items():
            monkeypatch.setenv(name, value)
        export = OtlpExport("xiaozhi-front")
        events: list[Any] = []
        with capture_logs() as logs:

            async def is_logged(event: str) -> bool:
                export.add(SPAN)
                await asyncio.sleep(0)
                events[:] = [each["event"] for each in logs]
                return event in events

            collector.fault = "busy"
            await soon(lambda: is_logged("traces are not taken, their spans are dropped"), what="a line")
            collector.fault = ""
            await soon(lambda: is_logged("traces are taken again"), what="a line")
        await export.close()
    assert events == ["traces are not taken, their spans are dropped", "traces are taken again"]
