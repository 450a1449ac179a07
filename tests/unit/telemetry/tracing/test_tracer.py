"""Tracer of a process: spans around stages, calls and HTTP requests, and the header that these carry."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dispatcher.errors import InstanceFailed, StateError
from dispatcher.telemetry.tracing.span_record import SpanId, SpanRecord
from dispatcher.telemetry.tracing.spans import CallPart, call_id, stage_id
from dispatcher.telemetry.tracing.tracer import Tracer
from dispatcher.tools.model import ToolCall, ToolResult
from tests.unit.pipeline.fake_worker import ticket_of
from tests.unit.telemetry.tracing.test_spans import ROOT, TICKET, TURN, lease_of


@dataclass
class KeptSpans:
    """Export that keeps what it is given."""

    samples: bool = True
    spans: list[SpanRecord] = field(default_factory=list)

    def is_sampled(self, span: SpanId) -> bool:
        """Return what the test wants."""
        assert span == ROOT
        return self.samples

    def add(self, span: SpanRecord) -> None:
        """Keep a span."""
        self.spans.append(span)

    async def close(self) -> None:
        """Have nothing to close."""


def test_a_turn_that_is_not_sampled_carries_nothing() -> None:
    assert Tracer(KeptSpans()).traceparent(TURN) == ROOT.traceparent
    assert Tracer(KeptSpans(samples=False)).traceparent(TURN) == ""
    assert "traceparent" not in ticket_of().as_payload()
    assert TICKET.as_payload()["traceparent"] == ROOT.traceparent


async def test_a_stage_returns_what_it_did_and_raises_what_it_raised() -> None:
    kept = KeptSpans()

    async def works() -> str:
        return "done"

    async def fails() -> str:
        raise InstanceFailed("llm-1", "HTTP 500")

    assert await Tracer(kept).stage(works(), TICKET, "llm", 0, sent_at_s=None) == "done"
    with pytest.raises(InstanceFailed):
        await Tracer(kept).stage(fails(), TICKET, "llm", 0, sent_at_s=None)
    assert [span.error for span in kept.spans] == ["", "InstanceFailed"]


async def test_a_tool_that_is_called_is_a_span_below_its_task_without_words() -> None:
    kept, call = KeptSpans(), ToolCall(id="7", name="light", arguments='{"where": "bedroom"}')
    is_on, no_bulb = ToolResult(text="it is on"), ToolResult(text="no bulb", failed=True)
    outcomes: list[ToolResult | StateError] = [is_on, no_bulb, StateError("away")]

    async def called(outcome: ToolResult | StateError) -> ToolResult:
        if isinstance(outcome, StateError):
            raise outcome
        return outcome

    for number, outcome in enumerate(outcomes, start=1):
        with suppress(StateError):
            await Tracer(kept).tool(called(outcome), TICKET, call, "device", number=number)
    assert {(span.name, span.kind, span.parent) for span in kept.spans} == {
        ("execute_tool light", "INTERNAL", stage_id(TICKET, "llm", 0).number)
    }
    assert [(span.error, span.error_text) for span in kept.spans] == [
        ("", ""),
        ("ToolFailed", ""),
        ("StateError", "away"),
    ]
    assert len({span.span for span in kept.spans}) == 3
    assert kept.spans[0].attributes == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "light",
        "gen_ai.tool.call.id": "7",
        "gen_ai.tool.type": "function",
        "xiaozhi.tool.server": "device",
    }


def server_of(seen: list[str | None]) -> TestServer:
    """Return a server that notes the header, and fails once."""

    async def answer(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent"))
        return web.Response(status=503 if len(seen) == 2 else 200)

    app = web.Application()
    app.router.add_post("/v1/chat", answer)
    return TestServer(app)


async def test_requests_of_a_call_carry_its_trace_and_others_none() -> None:
    kept, seen = KeptSpans(), list[str | None]()
    tracer, lease = Tracer(kept), lease_of()
    async with (
        server_of(seen) as server,
        aiohttp.ClientSession(trace_configs=[tracer.http_tracing()]) as http,
    ):

        async def post() -> None:
            async with http.post(server.make_url("/v1/chat")):
                pass

        async def calls() -> None:
            await post()
            await asyncio.create_task(post())  # as of a provider that reads in a task of its own

        await post()
        await tracer.call(calls(), TICKET, 0, lease, lambda _: CallPart(role="first", outcome="won"))
        await post()
    call = call_id(stage_id(TICKET, "llm", 0), lease.slot.lease_id)
    first, second, whole = kept.spans
    assert seen == [None, first.span.traceparent, second.span.traceparent, None]
    assert (first.parent, second.parent, whole.span) == (call.number, call.number, call)
    assert (first.error, second.error) == ("503", "")


async def test_a_request_that_nobody_answers_has_a_span_and_a_call_its_part() -> None:
    kept, parts = KeptSpans(), []
    tracer = Tracer(kept)
    async with aiohttp.ClientSession(trace_configs=[tracer.http_tracing()]) as http:

        async def calls() -> None:
            async with http.get("http://127.0.0.1:9/"):
                pass

        def part(error: BaseException | None) -> CallPart:
            parts.append(error)
            return CallPart(role="first", outcome="failed")

        with pytest.raises(aiohttp.ClientConnectorError):
            await tracer.call(calls(), TICKET, 0, lease_of(), part)
    assert [span.error for span in kept.spans] == ["ClientConnectorError", ""]
    assert isinstance(parts[0], aiohttp.ClientConnectorError)
