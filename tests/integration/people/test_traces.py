"""One trace a turn, through real processes, at a collector of somebody else."""

from __future__ import annotations

from tests.integration.people.tapped_stack import TappedInstances
from tests.support.instances import TRANSCRIPT
from tests.support.services.otlp_collector import CollectedSpan, OtlpCollector
from tests.support.stack import Stack
from tests.support.waiting import soon


def is_whole(spans: list[CollectedSpan], sentences: int) -> bool:
    """Return whether every stage and every parent has come; a stage that was late was sent twice."""
    named = [span.name for span in spans]
    numbers = {span.number for span in spans}
    is_spoken = named.count("process tts") >= sentences
    return is_spoken and {"turn", "process asr", "process llm"} <= {*named} and not parents(spans) - numbers


def parents(spans: list[CollectedSpan]) -> set[str]:
    """Return the numbers that spans name as their parents."""
    return {span.parent for span in spans if span.parent}


async def test_a_turn_is_one_trace_over_front_tasks_and_calls(
    tapped_stack: Stack, asked: TappedInstances, collector: OtlpCollector
) -> None:
    since = tapped_stack.front.printed_bytes()
    async with tapped_stack.front.device("traced") as device:
        turn = await device.says()
    assert turn.sentences
    spans: list[CollectedSpan] = []

    async def is_collected() -> bool:
        finished = tapped_stack.front.events("turn finished", since)
        spans[:] = collector.of(finished[0]["turn"]) if finished else []
        return is_whole(spans, len(turn.sentences))

    await soon(is_collected, what="the trace is whole")
    names = {span.number: span.name for span in spans}
    (root,) = [span for span in spans if not span.parent]
    assert (root.name, root.service) == ("turn", "xiaozhi-front")
    assert root.attributes["xiaozhi.turn.outcome"] == "answered"
    pairs = {(span.name.split()[0], names[span.parent]) for span in spans if span.parent}
    calls = {("transcribe", "process asr"), ("chat", "process llm"), ("speak", "process tts")}
    assert {("process", "turn"), *calls} <= pairs
    chat = next(span for span in spans if span.attributes.get("gen_ai.operation.name") == "chat")
    assert chat.attributes["gen_ai.usage.input_tokens"] > 0
    requests = {f"00-{root.trace}-{span.number}-01" for span in spans if span.parent == chat.number}
    assert requests & asked.traceparents()
    sent = b"".join(collector.bodies)
    assert not [said for said in (TRANSCRIPT, *turn.sentences) if said.encode() in sent]
