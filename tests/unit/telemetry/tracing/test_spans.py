"""Spans of what a turn recorded: ids that every process finds alike, names of OpenTelemetry, no words."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from yarl import URL

from dispatcher.errors import InstanceFailed, TurnCancelled
from dispatcher.messages import Service
from dispatcher.routing.call_clock import CallClock
from dispatcher.routing.call_usage import CallUsage
from dispatcher.routing.leases import Slot
from dispatcher.routing.router import Lease
from dispatcher.telemetry.tracing.span_record import SpanId
from dispatcher.telemetry.tracing.spans import (
    CallPart,
    call_id,
    call_span,
    request_span,
    stage_id,
    stage_span,
    turn_span,
)
from tests.unit.pipeline.fake_worker import instance_of, ticket_of

TURN = "0af7651916cd43dd8448eb211c80319c"
ROOT = SpanId.of_turn(TURN)
TICKET = ticket_of(turn_id=TURN, traceparent=ROOT.traceparent)
TIMES = (100.0, 101.5)
RECORD: dict[str, Any] = {
    "turn": TURN,
    "device": "a-device",
    "outcome": "answered",
    "sentences": 2,
    "reason": "",
    "started_at_ms": 100_000,
    "transcript_ms": 300.0,
    "first_audio_ms": 800.0,
    "llm_instance": "llm-1",
    "llm_prompt_tokens": 40,
}


def lease_of(service: Service = "llm", lease_id: str = "a-lease", **fields: Any) -> Lease:
    instance = replace(instance_of(service, f"{service}-1"), **{"model": "qwen", **fields})
    slot = Slot(service=service, name=instance.name, lease_id=lease_id, in_flight=1, reason="least latency")
    return Lease(instance=instance, slot=slot, wait_ms=20.0, clock=CallClock(), usage=CallUsage())


def test_a_traceparent_is_as_w3c_writes_it_and_is_read_back() -> None:
    assert ROOT.traceparent == f"00-{TURN}-{ROOT.number}-01"
    assert len(ROOT.number) == 16
    assert SpanId.parse(ROOT.traceparent) == ROOT


def test_each_stage_sending_and_sentence_has_a_span_of_its_own() -> None:
    again = replace(TICKET, attempt=2)
    stages = [("asr", 0), ("llm", 0), ("tts", 0), ("tts", 1)]
    ids = {stage_id(ticket, stage, index) for ticket in (TICKET, again) for stage, index in stages}  # type: ignore[arg-type]
    assert len(ids) == 8
    assert {each.trace for each in ids} == {TURN}


def test_a_turn_is_the_root_with_its_record_and_its_moments() -> None:
    span = turn_span(ROOT.traceparent, RECORD, began_s=None, ended_s=103.0)
    assert (span.name, span.kind, span.span, span.parent) == ("turn", "SERVER", ROOT, "")
    assert (span.started_s, span.ended_s, span.error) == (100.0, 103.0, "")
    assert span.moments == (("end of speech", 100.0), ("transcript", 100.3), ("first audio", 100.8))
    assert span.attributes == {
        "xiaozhi.turn.device": "a-device",
        "xiaozhi.turn.outcome": "answered",
        "xiaozhi.turn.sentences": 2,
        "xiaozhi.turn.llm_instance": "llm-1",
        "xiaozhi.turn.llm_prompt_tokens": 40,
    }


def test_a_turn_that_was_streamed_begins_with_its_utterance() -> None:
    assert turn_span(ROOT.traceparent, RECORD, began_s=98.0, ended_s=103.0).started_s == 98.0


def test_an_apologised_turn_is_an_error_with_its_reason() -> None:
    record = {**RECORD, "outcome": "apologised", "reason": "llm: all full"}
    span = turn_span(ROOT.traceparent, record, began_s=None, ended_s=103.0)
    assert (span.error, span.error_text) == ("apologised", "llm: all full")
    assert span.attributes["xiaozhi.turn.reason"] == "llm: all full"


def test_a_stage_is_a_child_of_the_turn_that_tells_its_wait_in_the_queue() -> None:
    span = stage_span(TICKET, "tts", 1, sent_at_s=99.75, times=TIMES, error=None)
    assert (span.name, span.kind, span.parent) == ("process tts", "CONSUMER", ROOT.number)
    assert span.span == stage_id(TICKET, "tts", 1)
    assert span.attributes["xiaozhi.queue_wait_s"] == 0.25
    assert span.attributes["xiaozhi.sentence"] == 1
    assert span.attributes["messaging.destination.name"] == "tts"


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (InstanceFailed("llm-1", "HTTP 500"), ("InstanceFailed", str(InstanceFailed("llm-1", "HTTP 500")))),
        (KeyError("words of a user"), ("KeyError", "")),
        (TurnCancelled("barge-in"), ("", "")),
        (asyncio.CancelledError(), ("", "")),
        (None, ("", "")),
    ],
)
def test_an_error_of_a_stage_never_quotes_what_it_failed_on(
    error: BaseException | None, named: tuple[str, str]
) -> None:
    span = stage_span(TICKET, "llm", 0, sent_at_s=None, times=TIMES, error=error)
    assert (span.error, span.error_text) == named
    assert "xiaozhi.queue_wait_s" not in span.attributes


def test_a_call_to_an_llm_has_the_names_of_generative_ai() -> None:
    lease = lease_of(provider="ollama")
    lease.usage.reported.update({"prompt_tokens": 40, "cached_tokens": 8})
    lease.usage.counted["completion_tokens"] = 12
    lease.clock.first_ms = 250.0
    parent = stage_id(TICKET, "llm", 0)
    span = call_span(parent, lease, CallPart(role="first", outcome="won"), times=TIMES, error=None)
    assert (span.name, span.kind, span.parent) == ("chat qwen", "CLIENT", parent.number)
    assert span.span == call_id(parent, "a-lease")
    assert span.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "qwen",
        "gen_ai.usage.input_tokens": 40,
        "gen_ai.usage.output_tokens": 12,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "server.address": "127.0.0.1",
        "server.port": 9,
        "xiaozhi.usage.is_counted": True,
        "xiaozhi.instance": "llm-1",
        "xiaozhi.pick.reason": "least latency",
        "xiaozhi.slot_wait_s": 0.02,
        "xiaozhi.first_result_s": 0.25,
        "xiaozhi.call.role": "first",
        "xiaozhi.call.outcome": "won",
    }


def test_a_call_to_a_voice_has_its_usage_and_no_name_of_an_llm() -> None:
    lease = lease_of("tts", model=None)
    lease.usage.reported["characters"] = 9
    span = call_span(ROOT, lease, CallPart(role="first", outcome="won"), times=TIMES, error=None)
    assert span.name == "speak tts-1"
    assert span.attributes["xiaozhi.usage.characters"] == 9
    assert not [name for name in span.attributes if name.startswith("gen_ai")]


def test_a_retry_links_the_call_that_failed() -> None:
    part = CallPart(role="retry", cause="a-lease", outcome="failed")
    error = InstanceFailed("llm-1", "HTTP 500")
    span = call_span(ROOT, lease_of(lease_id="another"), part, times=TIMES, error=error)
    assert span.linked == call_id(ROOT, "a-lease").number
    assert span.error == "InstanceFailed"


def test_a_hedge_that_lost_is_no_error() -> None:
    part = CallPart(role="hedge", cause="a-lease", outcome="lost")
    assert call_span(ROOT, lease_of(), part, times=TIMES, error=ValueError("lost")).error == ""


def test_a_request_leaves_out_the_query_and_the_credentials() -> None:
    url, span_id = URL("https://me:secret@host.example/v1/tts?authorization=signed"), ROOT.child("request")
    span = request_span(span_id, ROOT, "POST", url, times=TIMES, answer=200)
    assert (span.name, span.span, span.parent, span.error) == ("POST", span_id, ROOT.number, "")
    assert span.attributes == {
        "http.request.method": "POST",
        "url.full": "https://host.example/v1/tts",
        "http.response.status_code": 200,
        "server.address": "host.example",
        "server.port": 443,
    }


@pytest.mark.parametrize(
    ("answer", "error"),
    [(503, "503"), (ConnectionRefusedError("https://?key=signed"), "ConnectionRefusedError")],
)
def test_a_request_that_fails_is_an_error_without_its_text(answer: int | Exception, error: str) -> None:
    span = request_span(ROOT.child("x"), ROOT, "GET", URL("ws://a:1/"), times=TIMES, answer=answer)
    assert (span.error, span.error_text) == (error, "")
