"""A collector that takes OTLP over HTTP, such as Tempo or Jaeger, and keeps what it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.support.services.fake_service import FakeService


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedSpan:
    """One span as it came.

    Attributes:
        service: `service.name` of the process that sent it.
        moments: names of its events.
        links: numbers of the spans that it links.
    """

    service: str
    name: str
    kind: int
    trace: str
    number: str
    parent: str
    seconds: float
    attributes: Mapping[str, Any]
    moments: tuple[str, ...]
    links: tuple[str, ...]
    is_error: bool
    error_text: str


class OtlpCollector(FakeService):
    """The collector.

    Attributes:
        spans: of every trace, as they came.
        bodies: as they were sent.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[CollectedSpan] = []
        self.bodies: list[bytes] = []

    def routes(self) -> list[web.RouteDef]:
        """Return the one path of traces."""
        return [web.post("/v1/traces", self._take)]

    @property
    def environ(self) -> dict[str, str]:
        """What sends traces here, and soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def of(self, trace: str) -> list[CollectedSpan]:
        """Return the spans of a trace."""
        return [span for span in list(self.spans) if span.trace == trace]

    async def _take(self, request: web.Request) -> web.Response:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415  a second to load
            ExportTraceServiceRequest,
        )

        if self.fault:
            return web.Response(status=503)
        self.bodies.append(body := await request.read())
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = str(_plain(resource.resource.attributes)["service.name"])
            self.spans += [_span(service, each) for scope in resource.scope_spans for each in scope.spans]
        return web.Response(body=b"", content_type="application/x-protobuf")


def _span(service: str, span: Any) -> CollectedSpan:
    return CollectedSpan(
        service=service,
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        number=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        attributes=_plain(span.attributes),
        moments=tuple(event.name for event in span.events),
        links=tuple(link.span_id.hex() for link in span.links),
        is_error=span.status.code == 2,
        error_text=span.status.message,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
