"""Export of spans by OTLP over HTTP, by the standard OTEL_* variables; the SDK is loaded only where it is on.

The SDK's own thread sends batches; a queue that is full drops spans, and a collector that is unreachable
costs one line of the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import structlog

from dispatcher.telemetry.tracing.span_record import SpanId, SpanRecord
from dispatcher.telemetry.tracing.tracer import Tracer

log = structlog.get_logger(__name__)

ENDPOINT_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOL_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
CLOSE_TIMEOUT_S: Final = 1.0
_PROTOCOL: Final = "http/protobuf"


def start_tracer(environ: Mapping[str, str], *, service_name: str) -> Tracer | None:
    """Return the tracer of a process; None where the environment names no collector, or it cannot be used.

    Args:
        environ: variables of the process; the SDK reads the rest of OTEL_* itself.
        service_name: `service.name` unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES has one.
    """
    if not is_wanted(environ):
        return None
    if (protocol := _first(environ, PROTOCOL_VARIABLES)) not in ("", _PROTOCOL):
        log.warning("turns are not traced", protocol=protocol, expected=_PROTOCOL)
        return None
    try:
        return Tracer(OtlpExport(service_name))
    except ImportError:
        log.warning("turns are not traced", reason="the SDK is not installed", extra="otel")
    except ValueError as error:
        log.warning("turns are not traced", reason=str(error))
    return None


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Return whether the standard variables switch traces on."""
    is_off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    is_off = is_off or environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none"
    return bool(_first(environ, ENDPOINT_VARIABLES)) and not is_off


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((value for name in names if (value := environ.get(name, "").strip())), "")


class OtlpExport:
    """Export to the collector that the environment names."""

    def __init__(self, service_name: str) -> None:
        """Start the thread of the SDK.

        Raises:
            ImportError: the SDK is not installed.
            ValueError: a variable has a value that the SDK cannot use.
        """
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        # What it repeats for each batch is one line here.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        process = f"{socket.gethostname()}-{os.getpid()}"
        named = Resource.create({"service.name": service_name, "service.instance.id": process})
        self._resource = named.merge(OTELResourceDetector().detect())
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler
        self._processor = BatchSpanProcessor(_ReportedExporter(OTLPSpanExporter()))  # type: ignore[arg-type]

    def is_sampled(self, span: SpanId) -> bool:
        """Return whether OTEL_TRACES_SAMPLER keeps a trace that begins with this span."""
        result = self._sampler.should_sample(None, int(span.trace, 16), "turn")
        return bool(result.decision.is_sampled())  # type: ignore[no-untyped-call]

    def add(self, span: SpanRecord) -> None:
        """Put a span into the queue of the SDK's thread; one that is full drops it."""
        self._processor.on_end(sdk_span(span, self._resource))

    async def close(self) -> None:
        """Export what is left; a collector that does not answer is left after a second."""
        closed, loop = asyncio.Event(), asyncio.get_running_loop()

        def shut_down() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(closed.set)

        # A thread of the loop's pool would be waited for at its end.
        threading.Thread(target=shut_down, name="otlp-close", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await closed.wait()


def sdk_span(span: SpanRecord, resource: Any) -> Any:
    """Return a span as the SDK exports it."""
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415
    from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags  # noqa: PLC0415
    from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

    def context_of(number: str) -> SpanContext:
        sampled = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.span.trace, 16), int(number, 16), is_remote=False, trace_flags=sampled)

    error = {"error.type": span.error} if span.error else {}
    status = Status(StatusCode.ERROR, span.error_text or span.error) if span.error else Status()
    return ReadableSpan(
        span.name,
        context=context_of(span.span.number),
        parent=context_of(span.parent) if span.parent else None,
        resource=resource,
        attributes={**span.attributes, **error},
        events=[Event(name, timestamp=_ns(at_s)) for name, at_s in span.moments],
        links=[Link(context_of(span.linked))] if span.linked else [],
        kind=SpanKind[span.kind],
        status=status,
        start_time=_ns(span.started_s),
        end_time=_ns(span.ended_s),
    )


def _ns(at_s: float) -> int:
    return round(at_s * 1_000_000_000)


class _ReportedExporter:
    """Exporter that logs once that nobody takes its spans, and once that somebody does again."""

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self._is_failing = False

    def export(self, spans: Any) -> Any:
        """Export a batch, on the thread of the SDK."""
        result = self._exporter.export(spans)
        is_failing = result.name != "SUCCESS"
        if is_failing and not self._is_failing:
            log.warning("traces are not taken, their spans are dropped", variable=ENDPOINT_VARIABLES[1])
        elif self._is_failing and not is_failing:
            log.info("traces are taken again")
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        """End what is under way."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return what the exporter does."""
        return bool(self._exporter.force_flush(timeout_millis))
