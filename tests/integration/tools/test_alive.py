"""LLM streams that think, freeze, break off or never end: what is heard, and how often an LLM is asked."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Literal

import pytest

from dispatcher.catalogue.conversation import FillerRules
from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.telemetry import turn_log
from tests.support.scripted_models import ScriptedModels, after, breaks_after, rests, says, thinks, waits
from tests.support.stack import Stack
from tests.support.tool_device import device_of

# The stack's stages are sent again after two seconds, and its turns end after twenty.
THINKS_S = 6.0
FILLER = FillerRules(after_ms=1000, phrases={"en": ("Let me think.",), "zh": ("让我想想。",)})
Ruled = Callable[..., Awaitable[None]]


@pytest.fixture
async def ruled(tool_stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Ruled]:
    """Put other rules of the dialogue in force, with the first LLM instance alone where that is wanted."""
    monkeypatch.setenv("WEATHER_SOURCE", tool_stack.front.environ["WEATHER_SOURCE"])
    own = tool_stack.own_catalogue

    async def give(*, llms: int = 2, **rules: object) -> None:
        llm = own.services["llm"]
        services = {**own.services, "llm": replace(llm, instances=llm.instances[:llms])}
        conversation = replace(own.conversation, **rules)  # type: ignore[arg-type]
        await tool_stack.activate(replace(own, services=services, conversation=conversation))

    yield give
    await tool_stack.activate(own)


@pytest.mark.parametrize("sign", ["reasoning", "comments"])
async def test_a_model_that_thinks_for_longer_than_every_timeout_is_asked_once_and_answers(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled, sign: Literal["reasoning", "comments"]
) -> None:
    await ruled(llms=1, turn_timeout_s=4.0)
    models.script += [after(thinks(THINKS_S, sign=sign), says("Forty-two, ", "I think."))]
    async with device_of(tool_stack, f"thinker-{sign}") as device:
        answer = await device.types("what is the answer?")
    assert answer.sentences == ("Forty-two, I think.",)
    assert len(models.asked) == 1
    assert tool_stack.front.events("turn finished")[-1]["outcome"] == "answered"


async def test_a_model_that_never_stops_thinking_is_apologised_for(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1, thinking_timeout_s=1.5)
    models.script += [thinks(30)] * 2
    async with device_of(tool_stack, "brooder") as device:
        answer = await device.types("what is the answer?")
    assert answer.sentences == (APOLOGIES["sorry", "en"],)
    assert "of thinking" in tool_stack.front.events("turn finished")[-1]["reason"]


async def test_an_idle_instance_answers_for_one_that_thinks_and_nothing_counts_against_that(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled()
    models.script += [thinks(20), says("Quick as a flash.")]
    async with device_of(tool_stack, "hedged-thinker") as device:
        answer = await device.types("what is the answer?")
    assert answer.sentences == ("Quick as a flash.",)
    assert len(models.asked) == 2
    await tool_stack.is_given_back()
    assert [tool_stack.failures("llm", name) for name in ("llm-1", "llm-2")] == [0, 0]


async def test_a_slow_answer_has_one_filler_before_it_that_is_no_part_of_it(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1, filler=FILLER)
    models.script += [after(thinks(3, sign="text"), says("Hmm.</think>Forty-two."))]
    async with device_of(tool_stack, "filled") as device:
        answer = await device.types("what is the answer?")
        assert answer.sentences == ("Let me think.", "Forty-two.")
        assert (await device.types("and now?")).sentences != answer.sentences
    slow, quick = tool_stack.front.events("turn finished")[-2:]
    assert slow["sentences"] == 1
    assert slow["gaps"] == 0
    assert 1000 <= slow["filler_ms"] < 2500 < slow["first_audio_ms"]
    assert "filler_ms" not in quick
    said = [each["content"] for each in models.asked[-1]["messages"] if each["role"] == "assistant"]
    assert said == ["Forty-two."]
    assert len(models.asked) == 2


async def test_the_filler_is_in_the_users_language_and_a_barge_in_stops_it(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1, filler=FILLER)
    models.script += [after(thinks(4), says("四十二。"))]
    async with device_of(tool_stack, "filled-zh") as device:
        await device.begins_to_type("答案是什么？")
        await device.hears(type="tts", state="sentence_start", text="让我想想。")
        await device.abort()
        await device.hears(type="tts", state="stop")
    await tool_stack.is_given_back(within_s=3)


@pytest.mark.parametrize("again", ["The rest is here.", "Sure — here it is! The rest is here."])
async def test_a_model_that_freezes_after_a_sentence_is_gone_on_from_within_two_seconds(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled, again: str
) -> None:
    await ruled()
    models.script += [after(says("Sure, here it is. ", "The re"), rests()), says(again)]
    async with device_of(tool_stack, f"frozen-{len(again)}") as device:
        began_at = time.monotonic()
        answer = await device.types("well?")
        lasted_s = time.monotonic() - began_at
    assert answer.sentences == ("Sure, here it is.", "The rest is here.")
    assert len(models.asked) == 2
    *_, partial, wish = models.asked[1]["messages"]
    assert (partial["role"], partial["content"], wish["role"]) == ("assistant", "Sure, here it is.", "user")
    assert lasted_s < 4


async def test_a_model_that_only_pauses_keeps_the_word(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1)
    models.script += [after(says("Sure, here it is. "), waits(1.5), says("The rest is here."))]
    async with device_of(tool_stack, "pausing") as device:
        answer = await device.types("well?")
    assert answer.sentences == ("Sure, here it is.", "The rest is here.")
    assert len(models.asked) == 1


async def test_an_answer_that_breaks_off_is_gone_on_with_and_said_once(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1)
    models.script += [breaks_after(says("Sure, here it is. ", "The re")), says("The rest is here.")]
    async with device_of(tool_stack, "broken-once") as device:
        answer = await device.types("well?")
    assert answer.sentences == ("Sure, here it is.", "The rest is here.")
    assert tool_stack.front.events("turn finished")[-1]["outcome"] == "answered"


async def test_an_answer_that_breaks_off_for_good_is_cut_and_the_user_hears_so(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1)
    models.script += [breaks_after(says("Sure, here it is. ", "The re")), breaks_after(says("The "))]
    async with device_of(tool_stack, "broken-twice") as device:
        answer = await device.types("well?")
        assert answer.sentences == ("Sure, here it is.", APOLOGIES["cut", "en"])
        await device.types("again?")
    cut = tool_stack.front.events("turn finished")[-2]
    assert (cut["outcome"], cut["sentences"]) == ("cut", 1)
    assert cut["reason"].startswith("llm: ")
    redis = RedisClient(connect(tool_stack.broker.url))
    end = await turn_log.read_end(redis, cut["turn"])
    await redis.close()
    assert end == turn_log.TurnEnd(outcome="cut", reason=cut["reason"])
    said = [each["content"] for each in models.asked[-1]["messages"] if each["role"] == "assistant"]
    assert said == ["Sure, here it is."]


async def test_a_model_that_does_not_stop_is_ended_and_its_slot_given_back(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1)
    models.script += [says(*["I am a little kettle on a stove. "] * 400)]
    since_byte = tool_stack.workers["llm"].printed_bytes()
    async with device_of(tool_stack, "looping") as device:
        answer = await device.types("who are you?")
    assert answer.sentences == ("I am a little kettle on a stove.",) * 2
    turn = tool_stack.front.events("turn finished")[-1]
    assert (turn["outcome"], turn["reason"]) == ("answered", "the reply repeats itself")
    assert "reply ended early" in tool_stack.workers["llm"].output(since_byte)
    await tool_stack.is_given_back()


async def test_a_model_that_writes_marks_without_end_is_left_for_another(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [says(*["!! -- "] * 1000), says("Here I am.")]
    async with device_of(tool_stack, "scribbler") as device:
        answer = await device.types("well?")
    assert answer.sentences == ("Here I am.",)
    assert len(models.asked) == 2


async def test_a_long_answer_ends_at_a_sentence_in_time(
    tool_stack: Stack, models: ScriptedModels, ruled: Ruled
) -> None:
    await ruled(llms=1, max_reply_s=8.0)
    numbers = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    models.script += [says(*[f"This is the kettle number {each}. " for each in numbers])]
    async with device_of(tool_stack, "talker") as device:
        answer = await device.types("count the kettles")
    assert answer.sentences == tuple(f"This is the kettle number {each}." for each in numbers[:3])
    assert tool_stack.front.events("turn finished")[-1]["reason"] == "the reply is longer than 8 s"
