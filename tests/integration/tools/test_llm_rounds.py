"""An LLM that calls tools, well and badly: what is done, what it is told, and that nothing is done twice."""

from __future__ import annotations

from dataclasses import replace

from redis import Redis

from dispatcher.device_simulator.tools import Board
from dispatcher.redis_client import keys
from dispatcher.tools import device_calls
from dispatcher.tools.model import ToolResult
from dispatcher.tools.tool_schema import read_tool
from tests.support.front_side import FrontSide
from tests.support.scripted_models import ScriptedModels, breaks_after, calls, filtered, refuses, rests, says
from tests.support.stack import Stack
from tests.support.tool_device import device_of
from tests.support.waiting import soon

SET = "self_audio_speaker_set_volume"
QUIET = (SET, {"volume": 20})


def told(models: ScriptedModels, request: int = -1) -> list[str]:
    """Return what a request told of the results of tools."""
    return [each["content"] for each in models.asked[request]["messages"] if each["role"] == "tool"]


async def test_text_before_a_call_is_spoken_and_the_reply_goes_on(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [calls(QUIET, before="🙂 One moment please."), says("It is", " quiet now.")]
    async with device_of(tool_stack, "patient") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("One moment please.", "It is quiet now.")
    assert device.board.volume == 20
    asked, result = models.asked[1]["messages"][-2:]
    assert asked["content"] == "One moment please."
    assert asked["tool_calls"][0]["function"]["name"] == SET
    assert result == {"role": "tool", "content": "true", "tool_call_id": asked["tool_calls"][0]["id"]}


async def test_code_formulas_and_citations_are_neither_read_aloud_nor_shown(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    code = ("```py", "thon\nprint('Hi. You?')\n", "\nx = 1\n``", "`\n")
    models.script.append(
        says("**Do** it ", "like this[1]:\n", *code, "Then $E=m", "c^2$ (^_^) and a<b hold.")
    )
    async with device_of(tool_stack, "code") as device:
        answer = await device.types("show me")
    assert answer.sentences == (
        "Do it like this:",
        "See the text for the code.",
        "Then E=mc² and a<b hold.",
    )


async def test_a_turn_with_tools_says_so_in_its_log_line(tool_stack: Stack, models: ScriptedModels) -> None:
    models.script += [calls(QUIET), says("Done.")]
    since_byte = tool_stack.front.printed_bytes()
    async with device_of(tool_stack, "logged-tools") as device:
        await device.types("hush")
    (line,) = tool_stack.front.events("turn finished", since_byte)
    assert line["tools"] == 1
    assert line["llm_first_sentence_ms"] >= line["tools_ms"]


async def test_broken_arguments_are_left_for_another_instance(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [calls((SET, '{"volume": 3')), calls(QUIET), says("Done.")]
    async with device_of(tool_stack, "mended") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("Done.",)
    assert len(device.called()) == 1
    assert "Traceback" not in tool_stack.workers["llm"].output()


async def test_a_call_whose_stream_broke_is_made_once_by_the_substitute(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [breaks_after(calls(QUIET)), calls(QUIET), says("Done.")]
    async with device_of(tool_stack, "broken-stream") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("Done.",)
    assert len(device.called()) == 1


async def test_a_failure_after_a_call_goes_on_from_its_result(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [calls(QUIET), breaks_after(says("It ")), says("Done.")]
    async with device_of(tool_stack, "failing-later") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("Done.",)
    assert len(device.called()) == 1
    assert told(models, -1) == told(models, -2) == ["true"]


async def test_an_apology_after_a_call_says_that_it_was_done(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [calls(QUIET), breaks_after(says("It ")), breaks_after(says("It "))]
    async with device_of(tool_stack, "done") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("That is done, but I could not finish my answer.",)
    assert len(answer.packets) > 10


async def test_an_apology_after_a_call_that_failed_does_not(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    theme = ("self_screen_set_theme", {"theme": "plaid"})
    models.script += [calls(theme), breaks_after(says("It ")), breaks_after(says("It "))]
    async with device_of(tool_stack, "not-done") as device:
        answer = await device.types("plaid")
    assert answer.sentences == ("Sorry, I could not answer that. Please try again.",)


async def test_of_two_racing_drafts_one_calls(tool_stack: Stack, models: ScriptedModels) -> None:
    models.script += [rests(), calls(QUIET), says("Done.")]
    async with device_of(tool_stack, "raced") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("Done.",)
    assert len(device.called()) == 1
    await tool_stack.is_given_back()


async def test_wrong_arguments_are_told_back_and_nothing_is_done(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [
        calls((SET, {"volume": "loud"}), (SET, {"volume": 300}), ("self_rocket_launch", {})),
        says("Sorry."),
    ]
    async with device_of(tool_stack, "strict") as device:
        await device.types("hush")
    assert device.called() == []
    wrong_type, out_of_range, unknown = told(models)
    assert wrong_type == 'Error: not done: arguments.volume was "loud", expected integer'
    assert out_of_range == "Error: not done: arguments.volume was 300, expected at most 100"
    assert unknown.startswith(
        "Error: there is no tool 'self_rocket_launch'; there are self_get_device_status"
    )


async def test_a_turn_has_five_calls(tool_stack: Stack, models: ScriptedModels) -> None:
    models.script += [calls(*[(SET, {"volume": 10 + number}) for number in range(7)]), says("Enough.")]
    async with device_of(tool_stack, "eager") as device:
        answer = await device.types("hush")
    assert [call["arguments"]["volume"] for call in device.called()] == [10, 11, 12, 13, 14]
    assert answer.sentences == ("Enough.",)
    assert "tools" not in models.asked[-1]
    assert "not done: a turn has 5 calls at most" in str(models.asked[-1]["messages"])


async def test_a_barge_in_ends_the_wait_for_a_tool(tool_stack: Stack, models: ScriptedModels) -> None:
    models.script += [calls(QUIET)]
    async with device_of(tool_stack, "hasty-user") as device:
        working = device.mcp
        device.mcp = lambda _: None
        await device.begins_to_type("hush")

        async def called() -> bool:
            return bool(device.called())

        await soon(called, what="the device is called")
        await device.abort()
        await device.hears(type="tts", state="stop")
        device.mcp = working
        assert (await device.types("volume to 40")).sentences == ("Volume is now 40.",)
    await tool_stack.is_given_back()


async def test_of_two_sendings_of_a_turn_one_calls(tool_stack: Stack, models: ScriptedModels) -> None:
    models.script += [calls(QUIET), calls(QUIET), says("Done.")]
    listed = device_calls.pack([read_tool(tool.as_listed()) for tool in Board().tools()])
    async with FrontSide.opened(tool_stack.broker) as front:
        device_calls.keep(front.redis, listed)
        ticket = front.ticket(text="hush")
        first = replace(ticket, tool_list=listed.digest)
        await front.starts(first)
        await front.starts(replace(first, attempt=2))
        await front.reads(first, "tool")
        (wanted,) = [reply for reply in front.of(first) if reply.kind == "tool"]
        call = device_calls.read_call(wanted.text)
        assert (call.tool, call.arguments) == ("self.audio_speaker.set_volume", {"volume": 20})
        device_calls.answer(front.redis, call.call_id, ToolResult(text="true"))
        await front.reads(first, "end")
    assert [reply.kind for reply in front.of(first)].count("tool") == 1
    assert {reply.attempt for reply in front.of(first)} == {wanted.attempt}


async def test_a_model_that_takes_no_tools_is_asked_without_them(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [refuses(), says("I just talk.")]
    async with device_of(tool_stack, "small-model") as device:
        answer = await device.types("hush")
    # That is remembered for a day; the next test gets a worker and a Redis that know nothing of it.
    tool_stack.workers["llm"].kill()
    with Redis.from_url(tool_stack.broker.url) as client:
        refusals = client.hvals(*client.keys(keys.refused("*")))
        client.delete(*client.keys(keys.refused("*")))
    assert b"does not support tools" in refusals[0]
    assert answer.sentences == ("I just talk.",)
    assert "tools" in models.asked[0]
    assert "tools" not in models.asked[1]


async def test_one_refusal_that_speaks_of_tools_does_not_take_them_from_anybody(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    """LangBot #2223: DeepSeek's 400 in the second round; the dialogue is then told as plain text, once."""
    words = "The reasoning_content in the thinking mode must be passed back with tool calls"
    models.script += [calls(QUIET), refuses(words), says("It is quiet.")]
    async with device_of(tool_stack, "deepseek") as device:
        answer = await device.types("hush")
        assert answer.sentences == ("It is quiet.",)
        models.script += [says("Hello.")]
        await device.types("hello")
    assert "tools" in models.asked[-1]


async def test_reasoning_and_signatures_go_back_with_the_results(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    """labring/aiproxy #450 (Gemini 3), langbot-app/LangBot #2223 (DeepSeek v4)."""
    signature = {"google": {"thought_signature": "c2ln"}}
    models.script += [calls(QUIET, reasoning="Quiet, then.", extra_content=signature), says("It is quiet.")]
    async with device_of(tool_stack, "gemini") as device:
        answer = await device.types("hush")
    assert answer.sentences == ("It is quiet.",)
    asked = models.asked[1]["messages"][-2]
    assert asked["reasoning_content"] == "Quiet, then."
    assert asked["tool_calls"][0]["extra_content"] == signature


async def test_a_reply_of_only_a_face_shows_it_and_is_no_silence(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [says("😔"), says("……")]
    async with device_of(tool_stack, "wordless") as device:
        first = await device.types("你难过吗？")
        second = await device.types("Are you sad?")
    assert (first.emotion, first.sentences) == ("sad", ("嗯嗯。",))
    assert second.sentences == ("Mm-hm.",)


async def test_a_content_filter_is_one_apology_and_ejects_nobody(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    models.script += [filtered()] * 4
    async with FrontSide.opened(tool_stack.broker) as front:
        for _ in range(3):
            ticket = await front.types("something bad")
            await front.reads(ticket, "failed")
    async with device_of(tool_stack, "filtered") as device:
        answer = await device.types("something bad")
        assert answer.sentences == ("Sorry, I could not answer that. Please try again.",)
        assert len(models.asked) == 4
        models.script += [says("Hello.")]
        assert (await device.types("hello")).sentences == ("Hello.",)
    assert {tool_stack.failures("llm", f"llm-{number}") for number in (1, 2)} == {0}


async def test_an_empty_reply_is_asked_for_elsewhere_once(tool_stack: Stack, models: ScriptedModels) -> None:
    models.script += [says(), says("Hello.")]
    async with device_of(tool_stack, "empty-reply") as device:
        answer = await device.types("hello")
    assert answer.sentences == ("Hello.",)
    assert len(models.asked) == 2


async def test_a_refusal_about_one_instance_goes_to_the_next_one_and_is_its_last_reason(
    tool_stack: Stack, models: ScriptedModels
) -> None:
    """DeepSeek: 400 for a model that is not there; context_length_exceeded is another one."""
    models.script += [refuses("Model Not Exist"), says("Hello.")]
    async with device_of(tool_stack, "standby") as device:
        answer = await device.types("hello")
    assert answer.sentences == ("Hello.",)
    assert ["tools" in each for each in models.asked] == [True, True]
    with Redis.from_url(tool_stack.broker.url) as client:
        reasons = [client.hget(key, "last_reason") for key in client.keys(keys.instance("llm", "*"))]
    assert b"HTTP 400: Model Not Exist" in reasons
