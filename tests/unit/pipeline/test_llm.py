"""The LLM stage with a fake router and instances that follow a script, in virtual time."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from dispatcher.errors import EmptyReply, InstanceFailed, InstanceUnreachable
from dispatcher.messages import TurnTicket
from dispatcher.pipeline.llm import respond
from dispatcher.tools.model import Progress, PromptUsage, ToolCall
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

ANSWER = [
    "The first sentence is about the weather. ",
    "The second sentence is about the sea. ",
    "The third sentence ends the reply.",
]
SENTENCES = [each.strip() for each in ANSWER]


async def worker_with(*names: str) -> FakeWorker:
    return FakeWorker.with_instances(*(instance_of("llm", name) for name in names))


async def test_each_sentence_is_shown_and_sent_to_be_spoken_while_the_rest_is_written() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append(["😊 ", *ANSWER])
    await respond(worker.context, ticket_of(text="Count", language="en"))
    assert worker.redis.said == [
        ("emotion", "happy"),
        *(("sentence", each) for each in SENTENCES),
        ("end", ""),
    ]
    assert [queue for queue, _ in worker.redis.pushed] == ["tts"] * 3
    end = worker.redis.replies[-1]
    assert end.index == 3
    assert end.timings is not None
    assert end.timings["llm_instance"] == "a"


async def test_a_device_names_the_dialogue_that_stays_with_an_instance_unless_that_is_switched_off() -> None:
    worker = await worker_with("a")
    ticket = ticket_of(text="Count", language="en")
    worker.providers.scripts["a"] += [ANSWER, ANSWER]
    await respond(worker.context, ticket)
    catalogue = worker.context.catalogue
    off = replace(catalogue.conversation, prefix_affinity=False)
    worker.router.active.current = replace(catalogue, conversation=off)
    await respond(worker.context, ticket)
    assert worker.router.dialogues == [ticket.device_id, ""]


async def test_the_size_of_the_prompt_and_what_was_cached_stand_in_the_timings() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append([*ANSWER, PromptUsage(tokens=812, cached=768)])
    await respond(worker.context, ticket_of(text="Count", language="en"))
    timings = worker.redis.replies[-1].timings or {}
    assert (timings["llm_prompt_tokens"], timings["llm_cached_tokens"]) == (812, 768)


async def test_a_substitute_goes_on_from_what_was_sent() -> None:
    worker = await worker_with("a", "b")
    worker.providers.scripts["a"].append([ANSWER[0], 0.1, InstanceFailed("a", "HTTP 500")])
    worker.providers.scripts["b"].append(ANSWER[1:])
    await respond(worker.context, ticket_of(text="Count", language="en"))
    assert [text for kind, text in worker.redis.said if kind == "sentence"] == SENTENCES
    assert SENTENCES[0] in [message.content for message in worker.providers.asked[1][1]]
    assert worker.router.outcomes == [("a", "failed"), ("b", "ok")]


async def test_a_late_instance_says_nothing_once_another_one_speaks() -> None:
    worker = await worker_with("a", "b")
    worker.providers.scripts["a"].append([1.5, "I come too late. ", "And say nothing."])
    worker.providers.scripts["b"].append([0.2, *ANSWER, 0.8])
    await respond(worker.context, ticket_of(text="Count", language="en"))
    assert [text for kind, text in worker.redis.said if kind == "sentence"] == SENTENCES


async def test_thinking_is_not_counted_and_the_front_is_shown_signs_of_life() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append([Progress(), 15.0, Progress(), 15.0, Progress(), 15.0, *ANSWER])
    ticket = ticket_of(text="Why?", language="en")
    await respond(worker.context, ticket)
    kinds = [kind for kind, _ in worker.redis.said]
    assert kinds.count("alive") >= 30, "about once a second"
    sent = TurnTicket.from_payload(json.loads(json.loads(worker.redis.pushed[0][1])["body"])[0][0])
    assert sent.deadline_at_s == pytest.approx(ticket.deadline_at_s + 45.0, abs=1.0)


async def test_the_only_model_may_read_a_long_prompt_before_its_first_token() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append([15.0, *ANSWER])
    await respond(worker.context, ticket_of(text="Why?", language="en"))
    kinds = [kind for kind, _ in worker.redis.said]
    assert kinds.count("alive") >= 12, "the front sends nothing again, and its filler is spoken"
    assert kinds[-1] == "end"


async def test_the_only_model_is_unreachable_after_twenty_silent_seconds() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append([25.0, *ANSWER])
    with pytest.raises(InstanceUnreachable, match="silent for 20 s"):
        await respond(worker.context, ticket_of(text="Why?", language="en"))


async def test_a_silent_model_is_left_after_five_seconds_where_there_is_another() -> None:
    worker = await worker_with("a", "b")
    worker.providers.scripts["a"].append([25.0, *ANSWER])
    worker.providers.scripts["b"].append([25.0, *ANSWER])
    with pytest.raises(InstanceUnreachable, match="silent for 5 s"):
        await respond(worker.context, ticket_of(text="Why?", language="en"))


async def test_a_model_that_only_thinks_is_out_of_reach_in_the_end() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append([each for _ in range(40) for each in (Progress(), 15.0)])
    with pytest.raises(InstanceUnreachable, match="of thinking"):
        await respond(worker.context, ticket_of(text="Why?", language="en"))


async def test_calls_of_a_tool_are_answered_and_the_reply_goes_on() -> None:
    worker = await worker_with("a")
    call = ToolCall(id="1", name="no_such_tool", arguments="{}")
    worker.providers.scripts["a"] += [["I look. ", call], ["It is noon."]]
    await respond(worker.context, ticket_of(text="What time is it?", language="en"))
    assert [text for kind, text in worker.redis.said if kind == "sentence"] == ["I look.", "It is noon."]
    roles = [message.role for message in worker.providers.asked[1][1]]
    assert roles[-2:] == ["assistant", "user"], "as plain text, where no tools are offered"
    assert [reply.kind for reply in worker.redis.replies].count("end") == 1


async def test_a_reply_of_a_face_alone_gets_a_sound_and_an_empty_one_is_an_error() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"] += [["😊"], []]
    await respond(worker.context, ticket_of(text="Hm?", language="en"))
    assert worker.redis.said[:2] == [("emotion", "happy"), ("sentence", "Mm-hm.")]
    with pytest.raises(EmptyReply):
        await respond(worker.context, ticket_of(text="Hm?", language="en"))


async def test_a_reply_that_repeats_itself_is_ended_and_says_why() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append(["I said it already. "] * 9)
    await respond(worker.context, ticket_of(text="Again", language="en"))
    assert worker.redis.said[-1] == ("end", "the reply repeats itself")


async def test_text_without_end_or_sentence_is_no_reply() -> None:
    worker = await worker_with("a", "b")
    worker.providers.scripts["a"].append(["```\n", *["x = 1 " for _ in range(300)]])
    worker.providers.scripts["b"].append(ANSWER)
    await respond(worker.context, ticket_of(text="Count", language="en"))
    assert worker.redis.said[-1] == ("end", "")


async def test_a_turn_that_is_sent_again_goes_on_with_the_next_sentence() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"].append(ANSWER[1:])
    await respond(worker.context, ticket_of(text="Count", language="en", spoken=SENTENCES[0], spoken_count=1))
    assert [reply.index for reply in worker.redis.replies if reply.kind == "sentence"] == [1, 2]


async def test_no_reply_is_begun_after_its_deadline() -> None:
    worker = await worker_with("a")
    with pytest.raises(Exception, match="late"):
        await respond(worker.context, ticket_of(text="Hm?", deadline_at_s=time.time() - 1))
    assert not worker.providers.asked


async def test_in_overload_a_shorter_answer_is_asked_for_behind_what_was_said() -> None:
    worker = await worker_with("a")
    worker.providers.scripts["a"] += [ANSWER, ANSWER]
    await respond(worker.context, ticket_of(text="Count", language="en"))
    await respond(worker.context, ticket_of(text="Count", language="en", overload_step=2))
    (_, usual), (_, brief) = worker.providers.asked
    assert usual[:-1] == brief[:-1]
    assert brief[-1].content.startswith(usual[-1].content.partition("[")[0])
    assert brief[-1].content.endswith("[Answer briefly, in one or two sentences.]")
