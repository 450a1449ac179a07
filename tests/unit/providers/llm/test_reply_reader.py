"""Chat streams as public reports show them; docs/providers/openai-http.md names each report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dispatcher.errors import ContentRefused, InstanceBusy, InstanceFailed, InstanceForbidden
from dispatcher.providers.llm import reply_reader
from dispatcher.tools.model import ChatPiece, Progress, PromptUsage, ToolCall
from tests.support.services.openai import DONE, FakeOpenAi, event, reset, says

FILTERED = {"delta": {}, "finish_reason": "content_filter"}
NOTHING = [
    event(choices=[{"index": 0, "delta": None, "finish_reason": "stop"}]),
    event(choices=[{"index": 0, "finish_reason": "stop"}]),
    event(choices=[{"index": 0, "delta": {"role": "assistant", "content": None}}]),
    event(id="c", usage={"total_tokens": 9}),
    event(id="c", prompt_filter_results=[]),
    event(choices=[]),
    event(choices=None),
    event(choices=[{}]),
    event(object="chat.completion.chunk"),
    b"data:\n\n",
    b": keep-alive\n\n",
]


async def reply(openai: FakeOpenAi, **fields: Any) -> list[ChatPiece]:
    return [piece async for piece in openai.chat(**fields)]


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("place", ["first", "between", "last"])
async def test_a_chunk_that_carries_nothing_adds_nothing(
    openai: FakeOpenAi, nothing: bytes, place: str
) -> None:
    """graphrag PR #509, bagofwords PR #742, agent-framework PR #5734, qwen-code PR #1448."""
    chunks = [says("It is "), says("noon.")]
    chunks.insert({"first": 0, "between": 1, "last": 2}[place], nothing)
    openai.streams(*chunks, DONE)

    assert await reply(openai) == ["It is ", "noon."]


async def test_the_size_of_the_prompt_comes_last_also_behind_the_end(openai: FakeOpenAi) -> None:
    usage = {"prompt_tokens": 812, "prompt_tokens_details": {"cached_tokens": 768}}
    ended = event(choices=[{"delta": {}, "finish_reason": "stop"}])
    openai.streams(says("It is noon."), ended, event(choices=[], usage=usage), DONE)

    assert await reply(openai) == ["It is noon.", PromptUsage(tokens=812, cached=768)]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
async def test_the_last_sentence_is_said_without_the_end_of_its_line(openai: FakeOpenAi, end: bytes) -> None:
    """openai-node #2725, gemini-cli #29059."""
    openai.streams(says("It is "), says("noon.").rstrip(b"\n") + end)

    assert await reply(openai) == ["It is ", "noon."]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_server_that_ignores_stream_is_heard_all_the_same(
    openai: FakeOpenAi, indent: int | None, kind: str
) -> None:
    """Clawith PR #106, opencodex #1170."""
    message = {"role": "assistant", "content": "It is noon.", "tool_calls": [_mute("{}")]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    openai.answers(json.dumps(whole, indent=indent), Content_Type=kind)

    call = ToolCall(id="c", name="mute", arguments="{}")
    assert await reply(openai) == ["It is noon.", call]


def _mute(arguments: str) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "mute", "arguments": arguments}}


async def test_a_message_in_the_place_of_the_delta_is_said_once(openai: FakeOpenAi) -> None:
    whole = {"content": "It is noon."}
    end = {"delta": {}, "message": whole, "finish_reason": "stop"}
    openai.streams(says("It is "), says("noon."), event(choices=[end]), DONE)
    assert await reply(openai) == ["It is ", "noon."]

    openai.streams(event(choices=[{"message": {"content": "Noon."}}]), DONE)
    assert await reply(openai) == ["Noon."]


async def test_thoughts_in_parts_of_the_content_are_not_said(openai: FakeOpenAi) -> None:
    """Magistral: litellm #16272, llm-mistral PR #39."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}
    openai.streams(
        event(choices=[{"delta": {"content": [thought]}}]),
        event(choices=[{"delta": {"content": [{"type": "text", "text": "It is "}]}}]),
        event(choices=[{"delta": {"content": ["noon", {"text": "."}, {"type": "reference", "ids": [1]}]}}]),
        DONE,
    )
    assert await reply(openai) == [Progress(reasoning="Let me see."), "It is ", "noon."]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
async def test_reasoning_is_a_sign_of_life_and_not_said(openai: FakeOpenAi, name: str) -> None:
    """xinnan PR #1920; hermes-agent PR #101533."""
    openai.streams(event(choices=[{"delta": {name: "Hm.", "content": None}}]), says("Noon."), DONE)

    assert await reply(openai) == [Progress(reasoning="Hm."), "Noon."]


async def test_comments_are_signs_of_life_now_and_then(
    openai: FakeOpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_reader, "PROGRESS_INTERVAL_S", 0.0)
    openai.streams(b": keep-alive\n\n", says("Noon."), DONE)

    assert (await reply(openai))[0] == Progress()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Insufficient Balance"}, InstanceForbidden),
        ("Insufficient Balance", InstanceForbidden),
        ({"message": "Loading model", "code": 503}, InstanceBusy),
        ({"message": "rate limited", "code": "429"}, InstanceBusy),
        ({"message": "out of memory"}, InstanceFailed),
        ({"code": "data_inspection_failed", "message": "no"}, ContentRefused),
        ({"code": "1301", "message": "no"}, ContentRefused),
    ],
)
async def test_an_error_under_http_200_tells_whose_fault_it_is(
    openai: FakeOpenAi, error: Any, kind: type[Exception]
) -> None:
    """claude-code-router #948; whole, and in the stream."""
    for body in (json.dumps({"error": error}), event(error=error).decode()):
        openai.answers(body)
        with pytest.raises(kind) as raised:
            await reply(openai)
        assert type(raised.value) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"object": "error", "message": "model overloaded"},
        {"detail": "model overloaded"},
        {"base_resp": {"status_code": 1008, "status_msg": "model overloaded"}},
    ],
)
async def test_an_error_under_another_name_is_one(openai: FakeOpenAi, body: dict[str, Any]) -> None:
    openai.answers(json.dumps(body))

    with pytest.raises(InstanceFailed, match="model overloaded"):
        await reply(openai)


@pytest.mark.parametrize(
    "end", ["content_filter", "sensitive", "SAFETY", "content_filter: PROHIBITED_CONTENT"]
)
async def test_an_empty_reply_of_a_content_filter_is_about_the_words(openai: FakeOpenAi, end: str) -> None:
    openai.streams(event(choices=[{"delta": {}, "finish_reason": end}]), DONE)

    with pytest.raises(ContentRefused, match=end):
        await reply(openai)


async def test_what_a_content_filter_let_through_is_said(openai: FakeOpenAi) -> None:
    openai.streams(says("It is"), event(choices=[FILTERED]), DONE)

    assert await reply(openai) == ["It is"]


async def test_a_connection_that_breaks_after_the_end_of_the_reply_takes_nothing_back(
    openai: FakeOpenAi,
) -> None:
    end = event(choices=[{"delta": {}, "finish_reason": "stop"}])
    openai.streams(says("Noon."), end, then=reset)

    assert await reply(openai) == ["Noon."]


THOUGHTS = [
    ([event(choices=[{"delta": {"reasoning": "Hm."}}])], [Progress(reasoning="Hm.")]),
    ([says("<th"), says("ink>Hm.")], [Progress()]),
]
CUT = event(choices=[{"delta": {}, "finish_reason": "length"}])
BOUNDS = {"max_tokens", "max_completion_tokens"}


@pytest.mark.parametrize(("thought", "pieces"), THOUGHTS)
async def test_a_reply_of_which_reasoning_took_all_tokens_is_asked_for_again_without_the_bound(
    openai: FakeOpenAi, thought: list[bytes], pieces: list[ChatPiece]
) -> None:
    openai.streams_in_turn([*thought, CUT, DONE], [says("Noon."), DONE])

    assert await reply(openai) == [*pieces, "Noon."]
    assert [sorted(BOUNDS & asked.body.keys()) for asked in openai.asked] == [["max_tokens"], []]


async def test_a_reply_that_reasoning_left_too_few_tokens_is_said_and_the_next_one_has_room(
    openai: FakeOpenAi,
) -> None:
    cut = [says("<think>Hm.</think>It is"), CUT, DONE]
    openai.streams_in_turn(cut, [says("Noon."), DONE])

    assert await reply(openai) == ["It is"]
    assert await reply(openai) == ["Noon."]
    assert [sorted(BOUNDS & asked.body.keys()) for asked in openai.asked] == [["max_tokens"], []]


async def test_a_long_reply_without_reasoning_keeps_its_bound(openai: FakeOpenAi) -> None:
    openai.streams_in_turn([says("On and on"), CUT, DONE], [says("Noon."), DONE])

    assert await reply(openai) == ["On and on"]
    assert await reply(openai) == ["Noon."]
    assert all("max_tokens" in asked.body for asked in openai.asked)


@pytest.mark.parametrize("calls", [7, ["text"], [{"function": "text"}], "mute()"])
async def test_calls_that_are_none_take_nothing_back(openai: FakeOpenAi, calls: Any) -> None:
    openai.streams(
        says("One moment."), event(choices=[{"delta": {"tool_calls": calls}}]), says(" Done."), DONE
    )

    assert await reply(openai) == ["One moment.", " Done."]


async def test_an_error_after_the_end_of_the_reply_takes_nothing_back(openai: FakeOpenAi) -> None:
    end = event(choices=[{"delta": {}, "finish_reason": "stop"}])
    openai.streams(says("Noon."), end, event(error={"message": "usage is not available"}))

    assert await reply(openai) == ["Noon."]


async def test_frames_inside_frames_are_read(openai: FakeOpenAi) -> None:
    openai.streams(b"data: " + says("Noon."), b"data: data: [DONE]\n\n")

    assert await reply(openai) == ["Noon."]


GEMINI_LIST = (
    b'[{"choices": [{"delta": {"content": "It is "}}]}\n,\n{"choices": [{"delta": {"content": "noon."}}]}]'
)


@pytest.mark.parametrize(
    "stream",
    [
        GEMINI_LIST,
        b'[{"choices":[{"message":{"content":"It is noon."}}]}]',
        event(choices=[{"text": "It is "}]) + event(choices=[{"text": "noon.", "index": 0}]) + DONE,
        b'{"choices":[{"text":"It is noon.","finish_reason":"stop"}]}',
        event(choices=[{"delta": "It is noon."}]) + DONE,
        event(
            choices=[
                {"index": 1, "delta": {"content": "Midnight."}},
                {"index": 0, "delta": {"content": "It is noon."}},
            ]
        )
        + DONE,
    ],
    ids=["list", "list of one", "text", "whole text", "bare delta", "two choices"],
)
async def test_a_reply_in_a_less_usual_form_is_heard(openai: FakeOpenAi, stream: bytes) -> None:
    """Gemini's own streams are lists; old proxies send `text`; `extra_body: {n: 2}` brings two choices."""
    openai.streams(stream)

    assert "".join(str(piece) for piece in await reply(openai)) == "It is noon."


async def test_a_byte_that_is_no_utf_8_spoils_its_character_and_not_the_reply(openai: FakeOpenAi) -> None:
    """llama.cpp and its like send tokens that are half a character."""
    openai.streams(b'data: {"choices":[{"delta":{"content":"It is \xe4\xb8 noon."}}]}\n\n', DONE)

    assert "".join(str(piece) for piece in await reply(openai)) == "It is \ufffd noon."


@pytest.mark.parametrize(
    "answer",
    [
        {"ResponseMetadata": {"Error": {"Code": "AuthFail", "Message": "bad key"}}},
        {"status": "queued", "id": "7"},
        {"success": False, "result": None},
    ],
)
async def test_an_answer_that_is_no_reply_is_shown_as_it_came(
    openai: FakeOpenAi, answer: dict[str, Any]
) -> None:
    """It was an empty reply, which counts against nobody and tells nobody why."""
    openai.answers(json.dumps(answer))

    with pytest.raises(InstanceFailed, match=f"is no reply: .*{next(iter(answer))}"):
        await reply(openai)
