"""Tracer of a front or worker: the few places at which a turn becomes spans.

What is off is None in the place of a tracer, and a ticket without `traceparent` is of a turn that is not
sampled: neither makes a call.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, Protocol, TypeVar

import aiohttp

from dispatcher.messages import Service, TurnTicket
from dispatcher.routing.router import Lease
from dispatcher.telemetry.tracing.span_record import SpanId, SpanRecord
from dispatcher.telemetry.tracing.spans import (
    CallPart,
    call_id,
    call_span,
    request_span,
    stage_id,
    stage_span,
    tool_span,
    turn_span,
)
from dispatcher.tools.model import ToolCall, ToolResult

Result = TypeVar("Result")
# Of the call that the running task makes; HTTP requests outside of calls, such as health checks, have none.
_CALL: Final[ContextVar[SpanId | None]] = ContextVar("call", default=None)


class SpanExport(Protocol):
    """Receiver of finished spans that never waits."""

    def is_sampled(self, span: SpanId) -> bool:
        """Return whether a trace that begins with this span is kept."""

    def add(self, span: SpanRecord) -> None:
        """Take in a span."""

    async def close(self) -> None:
        """Export what is left, within a bound."""


class Tracer:
    """Maker of the spans of one process."""

    def __init__(self, export: SpanExport) -> None:
        """Trace into an export."""
        self._export = export

    def traceparent(self, turn_id: str) -> str:
        """Return what the ticket of a turn carries; empty where its trace is not kept."""
        root = SpanId.of_turn(turn_id)
        return root.traceparent if self._export.is_sampled(root) else ""

    def add_turn(self, ticket: TurnTicket, record: Mapping[str, Any], *, began_s: float | None) -> None:
        """Add the root of a turn that has ended, as `turn_span`."""
        self._export.add(turn_span(ticket.traceparent, record, began_s=began_s, ended_s=time.time()))

    async def stage(
        self,
        work: Coroutine[Any, Any, Result],
        ticket: TurnTicket,
        stage: Service,
        index: int,
        *,
        sent_at_s: float | None,
    ) -> Result:
        """Return what a stage returns, and add its span."""
        with self._spanned(partial(stage_span, ticket, stage, index, sent_at_s=sent_at_s)):
            return await work

    async def call(
        self,
        work: Awaitable[Result],
        ticket: TurnTicket,
        index: int,
        lease: Lease,
        part: Callable[[BaseException | None], CallPart],
    ) -> Result:
        """Return what a call for sentence number `index` returns that has its lease, and add its span.

        `part` returns, at the end of the call, its place among the attempts.
        """
        parent = stage_id(ticket, lease.instance.service, index)

        def span(*, times: tuple[float, float], error: BaseException | None) -> SpanRecord:
            return call_span(parent, lease, part(error), times=times, error=error)

        with self._spanned(span):
            outside = _CALL.set(call_id(parent, lease.slot.lease_id))
            try:
                return await work
            finally:
                _CALL.reset(outside)

    async def tool(
        self, work: Awaitable[ToolResult], ticket: TurnTicket, call: ToolCall, server: str, *, number: int
    ) -> ToolResult:
        """Return what a tool returns, and add the span of call `number` of its turn."""
        outcome: ToolResult | BaseException
        began_s = time.time()
        try:
            outcome = result = await work
        except BaseException as error:
            outcome = error
            raise
        finally:
            times = (began_s, time.time())
            self._export.add(tool_span(ticket, call, server, number=number, times=times, outcome=outcome))
        return result

    @contextmanager
    def _spanned(self, span: Callable[..., SpanRecord]) -> Iterator[None]:
        """Add the span of the block, made of the times of both its ends and of its error."""
        began_s, error = time.time(), None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._export.add(span(times=(began_s, time.time()), error=error))

    def http_tracing(self) -> aiohttp.TraceConfig:
        """Return what adds `traceparent` to the requests of calls, and a span for each."""
        config = aiohttp.TraceConfig()
        config.on_request_start.append(self._on_request)
        config.on_request_end.append(self._on_answer)
        config.on_request_exception.append(self._on_answer)
        return config

    async def close(self) -> None:
        """Export what is left, within a bound."""
        await self._export.close()

    async def _on_request(
        self, _: aiohttp.ClientSession, request: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        request.call, request.began_s = _CALL.get(), time.time()
        if request.call is not None:
            request.span = SpanId(trace=request.call.trace, number=os.urandom(8).hex())
            params.headers["traceparent"] = request.span.traceparent

    async def _on_answer(
        self,
        _: aiohttp.ClientSession,
        request: SimpleNamespace,
        params: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams,
    ) -> None:
        if request.call is None:
            return
        times = (request.began_s, time.time())
        is_error = isinstance(params, aiohttp.TraceRequestExceptionParams)
        answer = params.exception if is_error else params.response.status  # type: ignore[union-attr]
        span = request_span(request.span, request.call, params.method, params.url, times=times, answer=answer)
        self._export.add(span)
