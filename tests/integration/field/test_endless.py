"""A model that does not stop: its reply ends at a sentence, its stream is closed, its slot is given back."""

from __future__ import annotations

from tests.support.services.field import Answer, FieldServer, text_event
from tests.support.stack import Stack

LOOP = [part for _ in range(400) for part in (text_event("I am a helpful assistant. "), 0.02)]


async def test_a_model_that_repeats_itself_is_stopped_at_the_third_time(
    field_stack: Stack, field: FieldServer
) -> None:
    field.script.llm["loop"] = [Answer(parts=[text_event("It is noon. "), *LOOP])]
    async with field_stack.front.device("endless-loop") as device:
        answer = await device.types("case: loop")
    assert answer.sentences[0] == "It is noon."
    assert answer.sentences.count("I am a helpful assistant.") <= 2
    (call,) = field.calls_of("loop")
    assert call.ended
    await field_stack.is_given_back()
    (turn,) = [each for each in field_stack.front.events("turn finished") if each["device"] == "endless-loop"]
    assert turn["outcome"] == "answered"
