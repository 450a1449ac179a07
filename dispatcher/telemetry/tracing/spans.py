"""Spans of a turn, mapped from its record, its stages, and its calls to instances and tools; pure.

Source of the names: OpenTelemetry semantic conventions for generative AI, messaging, HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from yarl import URL

from dispatcher.catalogue.model import Instance
from dispatcher.errors import DispatcherError, InstanceError, TurnCancelled, in_words
from dispatcher.messages import FAILED_OUTCOMES, Service, TurnTicket
from dispatcher.routing.router import Lease
from dispatcher.telemetry.tracing.span_record import Attributes, SpanId, SpanRecord
from dispatcher.tools.model import ToolCall, ToolResult

# Moments of a turn that its record has, in ms after the end of speech.
_MOMENTS: Final = (
    *("transcript_ms", "filler_ms", "audio_ready_ms"),
    *("first_audio_ms", "reply_ready_ms", "played_ms"),
)
_NOT_ATTRIBUTES: Final = frozenset({*_MOMENTS, "turn", "reason", "started_at_ms"})
_VERBS: Final[Mapping[Service, str]] = {"asr": "transcribe", "llm": "chat", "tts": "speak"}
# Units of usage, as OpenTelemetry names them; the others have no name there.
_TOKENS: Final = {
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "completion_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPart:
    """Place of an attempt in its call.

    Attributes:
        role: "first", "hedge" (another one is late), "retry" (another one failed) or "probe".
        cause: lease of the attempt that was late or failed; empty for none.
        outcome: "won", "lost", "observed", "failed" or "cancelled".
    """

    role: str
    cause: str = ""
    outcome: str


def turn_span(
    traceparent: str, record: Mapping[str, str | float], *, began_s: float | None, ended_s: float
) -> SpanRecord:
    """Return the root: a turn as its front recorded it.

    Args:
        traceparent: of its ticket.
        record: as it goes to SQL (docs/records.md), without words of the user.
        began_s: Unix time at which it was streamed from; None for a turn that began with the end of speech.
        ended_s: Unix time of its end.
    """
    of_speech_s = float(record["started_at_ms"]) / 1000
    moments = [("end of speech", of_speech_s)]
    moments += [
        (name.removesuffix("_ms").replace("_", " "), of_speech_s + float(record[name]) / 1000)
        for name in _MOMENTS
        if name in record
    ]
    facts = {f"xiaozhi.turn.{name}": fact for name, fact in record.items() if name not in _NOT_ATTRIBUTES}
    reason, failed = str(record.get("reason", "")), record["outcome"] in FAILED_OUTCOMES
    return SpanRecord(
        name="turn",
        kind="SERVER",
        span=SpanId.parse(traceparent),
        started_s=of_speech_s if began_s is None else min(of_speech_s, began_s),
        ended_s=ended_s,
        attributes={**facts, **({"xiaozhi.turn.reason": reason} if reason else {})},
        moments=tuple(moments),
        error=str(record["outcome"]) if failed else "",
        error_text=reason if failed else "",
    )


def stage_id(ticket: TurnTicket, stage: Service, index: int) -> SpanId:
    """Return the span of one sending of a stage, for sentence number `index`."""
    return SpanId.parse(ticket.traceparent).child(stage, ticket.attempt, index)


def stage_span(
    ticket: TurnTicket,
    stage: Service,
    index: int,
    *,
    sent_at_s: float | None,
    times: tuple[float, float],
    error: BaseException | None,
) -> SpanRecord:
    """Return the span of a task of a turn in a worker, whose message was sent at `sent_at_s`."""
    started_s, ended_s = times
    wait_s = None if sent_at_s is None else round(max(0.0, started_s - sent_at_s), 3)
    name, text = _error_of(error)
    return SpanRecord(
        name=f"process {stage}",
        kind="CONSUMER",
        span=stage_id(ticket, stage, index),
        parent=SpanId.parse(ticket.traceparent).number,
        started_s=started_s,
        ended_s=ended_s,
        attributes=_sending(ticket, stage, index, wait_s),
        error=name,
        error_text=text,
    )


def call_id(parent: SpanId, lease_id: str) -> SpanId:
    """Return the span of the call that is made under a lease."""
    return parent.child(lease_id)


def call_span(
    parent: SpanId, lease: Lease, part: CallPart, *, times: tuple[float, float], error: BaseException | None
) -> SpanRecord:
    """Return the span of a call to an instance, whatever became of it."""
    # All but an error of the instance is control flow, or no fault of this call.
    instance, (name, text) = lease.instance, _error_of(error if isinstance(error, InstanceError) else None)
    attributes: dict[str, str | float] = {
        **_asked(instance),
        **_used(lease),
        "xiaozhi.instance": instance.name,
        "xiaozhi.pick.reason": lease.slot.reason,
        "xiaozhi.slot_wait_s": round(lease.wait_ms / 1000, 4),
        "xiaozhi.call.role": part.role,
        "xiaozhi.call.outcome": part.outcome,
    }
    if lease.clock.first_ms is not None:
        attributes["xiaozhi.first_result_s"] = round(lease.clock.first_ms / 1000, 4)
    return SpanRecord(
        name=f"{_VERBS[instance.service]} {instance.model or instance.name}",
        kind="CLIENT",
        span=call_id(parent, lease.slot.lease_id),
        parent=parent.number,
        started_s=times[0],
        ended_s=times[1],
        attributes=attributes,
        linked=call_id(parent, part.cause).number if part.cause else "",
        error=name,
        error_text=text,
    )


def tool_span(
    ticket: TurnTicket,
    call: ToolCall,
    server: str,
    *,
    number: int,
    times: tuple[float, float],
    outcome: ToolResult | BaseException,
) -> SpanRecord:
    """Return the span of call `number` of a turn to a tool of `server`, or of its device.

    Without arguments and result: both quote the user.
    """
    stage, (name, text) = stage_id(ticket, "llm", 0), _error_of(outcome)
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.name,
        "gen_ai.tool.call.id": call.id,
        "gen_ai.tool.type": "function",
        "xiaozhi.tool.server": server,
    }
    return SpanRecord(
        name=f"execute_tool {call.name}",
        kind="INTERNAL",
        span=stage.child("tool", number),
        parent=stage.number,
        started_s=times[0],
        ended_s=times[1],
        attributes=attributes,
        error=name,
        error_text=text,
    )


def request_span(
    span: SpanId,
    parent: SpanId,
    method: str,
    url: URL,
    *,
    times: tuple[float, float],
    answer: int | BaseException,
) -> SpanRecord:
    """Return the span of an HTTP request up to the head of its `answer`: a status, or what went wrong.

    The query is left out: dialects sign their keys in it.
    """
    attributes: dict[str, str | float] = {
        "http.request.method": method,
        "url.full": f"{url.origin()}{url.path}",
        **_server(url),
    }
    name, text = _error_of(answer if isinstance(answer, BaseException) else None)
    if isinstance(answer, int):
        attributes["http.response.status_code"] = answer
        name = str(answer) if answer >= 400 else ""
    return SpanRecord(
        name=method,
        kind="CLIENT",
        span=span,
        parent=parent.number,
        started_s=times[0],
        ended_s=times[1],
        attributes=attributes,
        error=name,
        error_text=text,
    )


def _sending(ticket: TurnTicket, stage: Service, index: int, wait_s: float | None) -> Attributes:
    return {
        "messaging.system": "celery",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": stage,
        "xiaozhi.stage.attempt": ticket.attempt,
        "xiaozhi.overload_step": ticket.overload_step,
        **({"xiaozhi.sentence": index} if stage == "tts" else {}),
        **({} if wait_s is None else {"xiaozhi.queue_wait_s": wait_s}),
    }


def _asked(instance: Instance) -> Attributes:
    server = _server(URL(instance.endpoint))
    if instance.service != "llm":
        return server
    model = {"gen_ai.request.model": instance.model} if instance.model else {}
    return {"gen_ai.operation.name": "chat", "gen_ai.provider.name": instance.provider, **model, **server}


def _server(url: URL) -> Attributes:
    return {"server.address": url.host or "", **({"server.port": url.port} if url.port else {})}


def _used(lease: Lease) -> Attributes:
    usage = lease.usage
    named = {_TOKENS.get(unit, f"xiaozhi.usage.{unit}"): amount for unit, amount in usage.amounts.items()}
    return {**named, **({"xiaozhi.usage.is_counted": True} if usage.is_counted else {})}


def _error_of(error: BaseException | ToolResult | None) -> tuple[str, str]:
    """Return class and words of an error; nothing for a cancellation.

    Others than ours may quote what they failed on, words of the user or a signed address, and stay without.
    """
    if isinstance(error, ToolResult):
        return ("ToolFailed" if error.failed else ""), ""
    if not isinstance(error, Exception) or isinstance(error, TurnCancelled):
        return "", ""
    return type(error).__name__, in_words(error) if isinstance(error, DispatcherError) else ""
