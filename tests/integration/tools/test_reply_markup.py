"""Thoughts and tool calls in the text of a reply: what is spoken, kept and called."""

from __future__ import annotations

from redis import Redis

from dispatcher.redis_client import keys
from tests.support.scripted_models import ScriptedModels, says
from tests.support.stack import Stack
from tests.support.tool_device import device_of

SET = "self_audio_speaker_set_volume"


async def test_thoughts_whose_opening_tag_is_missing_are_neither_spoken_nor_kept(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    """xinnan #1050, #1739: the chat template opens the thought, so the reply only closes it."""
    thought = says("Okay, the user wants to know the time. ", "It is noon.\n</think>", "\n\nIt is noon.")
    models.script += [thought, says("Yes.")]
    async with device_of(tool_stack, "untagged") as device:
        answer = await device.types("what time is it")
        await device.types("really")
    assert answer.sentences == ("It is noon.",)
    assert models.asked[1]["messages"][-2]["content"] == "It is noon."
    with Redis.from_url(tool_stack.broker.url) as client:
        learned = [each for key in client.keys(keys.refused("*")) for each in client.hvals(key)]
    assert b"begin with reasoning" in learned[0]


async def test_a_call_in_the_raw_form_of_gpt_oss_is_made(tool_stack: Stack, models: ScriptedModels) -> None:
    header = f"<|start|>assistant<|channel|>commentary to=functions.{SET} <|constrain|>json<|message|>"
    models.script += [
        says("<|channel|>ana", "lysis<|message|>Quiet, then.<|end|>", header, '{"volume": 20}<|call|>'),
        says("<|channel|>final<|message|>It is", " quiet now.<|return|>"),
    ]
    async with device_of(tool_stack, "harmony") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("It is quiet now.",)
    assert len(device.called()) == 1
    asked, result = models.asked[1]["messages"][-2:]
    assert asked["tool_calls"][0]["function"] == {"name": SET, "arguments": '{"volume": 20}'}
    assert result == {"role": "tool", "content": "true", "tool_call_id": asked["tool_calls"][0]["id"]}
