"""Chat streams as public reports show them; docs/providers/openai-http.md names each report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dispatcher.errors import ContentRefused, InstanceBusy, InstanceFailed, InstanceForbidden
from dispatcher.providers import openai_chat
from dispatcher.tools.model import ChatPiece, Progress, ToolCall
from tests.unit.providers.dialect import DONE, Dialect, event, reset, says

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


async def reply(dialect: Dialect, **fields: Any) -> list[ChatPiece]:
    return [piece async for piece in dialect.chat(**fields)]


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("place", ["first", "between", "last"])
async def test_a_chunk_that_carries_nothing_adds_nothing(
    dialect: Dialect, nothing: bytes, place: str
) -> None:
    """graphrag PR #509, bagofwords PR #742, agent-framework PR #5734, qwen-code PR #1448."""
    chunks = [says("It is "), says("noon.")]
    chunks.insert({"first": 0, "between": 1, "last": 2}[place], nothing)
    dialect.streams(*chunks, DONE)

    assert await reply(dialect) == ["It is ", "noon."]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
async def test_the_last_sentence_is_said_without_the_end_of_its_line(dialect: Dialect, end: bytes) -> None:
    """openai-node #2725, gemini-cli #29059."""
    dialect.streams(says("It is "), says("noon.").rstrip(b"\n") + end)

    assert await reply(dialect) == ["It is ", "noon."]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_a_server_that_ignores_stream_is_heard_all_the_same(
    dialect: Dialect, indent: int | None, kind: str
) -> None:
    """Clawith PR #106, opencodex #1170."""
    message = {"role": "assistant", "content": "It is noon.", "tool_calls": [_mute("{}")]}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    dialect.answers(json.dumps(whole, indent=indent), Content_Type=kind)

    call = ToolCall(id="c", name="mute", arguments="{}")
    assert await reply(dialect) == ["It is noon.", call]


def _mute(arguments: str) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "mute", "arguments": arguments}}


async def test_a_message_in_the_place_of_the_delta_is_said_once(dialect: Dialect) -> None:
    whole = {"content": "It is noon."}
    end = {"delta": {}, "message": whole, "finish_reason": "stop"}
    dialect.streams(says("It is "), says("noon."), event(choices=[end]), DONE)
    assert await reply(dialect) == ["It is ", "noon."]

    dialect.streams(event(choices=[{"message": {"content": "Noon."}}]), DONE)
    assert await reply(dialect) == ["Noon."]


async def test_thoughts_in_parts_of_the_content_are_not_said(dialect: Dialect) -> None:
    """Magistral: litellm #16272, llm-mistral PR #39."""
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}
    dialect.streams(
        event(choices=[{"delta": {"content": [thought]}}]),
        event(choices=[{"delta": {"content": [{"type": "text", "text": "It is "}]}}]),
        event(choices=[{"delta": {"content": ["noon", {"text": "."}, {"type": "reference", "ids": [1]}]}}]),
        DONE,
    )
    assert await reply(dialect) == [Progress(reasoning="Let me see."), "It is ", "noon."]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
async def test_reasoning_is_a_sign_of_life_and_not_said(dialect: Dialect, name: str) -> None:
    """xinnan PR #1920; hermes-agent PR #101533."""
    dialect.streams(event(choices=[{"delta": {name: "Hm.", "content": None}}]), says("Noon."), DONE)

    assert await reply(dialect) == [Progress(reasoning="Hm."), "Noon."]


async def test_comments_are_signs_of_life_now_and_then(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai_chat, "PROGRESS_INTERVAL_S", 0.0)
    dialect.streams(b": keep-alive\n\n", says("Noon."), DONE)

    assert (await reply(dialect))[0] == Progress()


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
    dialect: Dialect, error: Any, kind: type[Exception]
) -> None:
    """claude-code-router #948; whole, and in the stream."""
    for body in (json.dumps({"error": error}), event(error=error).decode()):
        dialect.answers(body)
        with pytest.raises(kind) as raised:
            await reply(dialect)
        assert type(raised.value) is kind


@pytest.mark.parametrize(
    "body",
    [
        {"object": "error", "message": "model overloaded"},
        {"detail": "model overloaded"},
        {"base_resp": {"status_code": 1008, "status_msg": "model overloaded"}},
    ],
)
async def test_an_error_under_another_name_is_one(dialect: Dialect, body: dict[str, Any]) -> None:
    dialect.answers(json.dumps(body))

    with pytest.raises(InstanceFailed, match="model overloaded"):
        await reply(dialect)


@pytest.mark.parametrize(
    "end", ["content_filter", "sensitive", "SAFETY", "content_filter: PROHIBITED_CONTENT"]
)
async def test_an_empty_reply_of_a_content_filter_is_about_the_words(dialect: Dialect, end: str) -> None:
    dialect.streams(event(choices=[{"delta": {}, "finish_reason": end}]), DONE)

    with pytest.raises(ContentRefused, match=end):
        await reply(dialect)


async def test_what_a_content_filter_let_through_is_said(dialect: Dialect) -> None:
    dialect.streams(says("It is"), event(choices=[FILTERED]), DONE)

    assert await reply(dialect) == ["It is"]


async def test_a_connection_that_breaks_after_the_end_of_the_reply_takes_nothing_back(
    dialect: Dialect,
) -> None:
    end = event(choices=[{"delta": {}, "finish_reason": "stop"}])
    dialect.streams(says("Noon."), end, then=reset)

    assert await reply(dialect) == ["Noon."]


THOUGHTS = [
    ([event(choices=[{"delta": {"reasoning": "Hm."}}])], [Progress(reasoning="Hm.")]),
    ([says("<th"), says("ink>Hm.")], [Progress()]),
]
CUT = event(choices=[{"delta": {}, "finish_reason": "length"}])
BOUNDS = {"max_tokens", "max_completion_tokens"}


@pytest.mark.parametrize(("thought", "pieces"), THOUGHTS)
async def test_a_reply_of_which_reasoning_took_all_tokens_is_asked_for_again_without_the_bound(
    dialect: Dialect, thought: list[bytes], pieces: list[ChatPiece]
) -> None:
    dialect.streams_in_turn([*thought, CUT, DONE], [says("Noon."), DONE])

    assert await reply(dialect) == [*pieces, "Noon."]
    assert [sorted(BOUNDS & asked.body.keys()) for asked in dialect.asked] == [["max_tokens"], []]


async def test_a_reply_that_reasoning_left_too_few_tokens_is_said_and_the_next_one_has_room(
    dialect: Dialect,
) -> None:
    cut = [says("<think>Hm.</think>It is"), CUT, DONE]
    dialect.streams_in_turn(cut, [says("Noon."), DONE])

    assert await reply(dialect) == ["It is"]
    assert await reply(dialect) == ["Noon."]
    assert [sorted(BOUNDS & asked.body.keys()) for asked in dialect.asked] == [["max_tokens"], []]


async def test_a_long_reply_without_reasoning_keeps_its_bound(dialect: Dialect) -> None:
    dialect.streams_in_turn([says("On and on"), CUT, DONE], [says("Noon."), DONE])

    assert await reply(dialect) == ["On and on"]
    assert await reply(dialect) == ["Noon."]
    assert all("max_tokens" in asked.body for asked in dialect.asked)


@pytest.mark.parametrize("calls", [7, ["text"], [{"function": "text"}], "mute()"])
async def test_calls_that_are_none_take_nothing_back(dialect: Dialect, calls: Any) -> None:
    dialect.streams(
        says("One moment."), event(choices=[{"delta": {"tool_calls": calls}}]), says(" Done."), DONE
    )

    assert await reply(dialect) == ["One moment.", " Done."]


async def test_an_error_after_the_end_of_the_reply_takes_nothing_back(dialect: Dialect) -> None:
    end = event(choices=[{"delta": {}, "finish_reason": "stop"}])
    dialect.streams(says("Noon."), end, event(error={"message": "usage is not available"}))

    assert await reply(dialect) == ["Noon."]


async def test_frames_inside_frames_are_read(dialect: Dialect) -> None:
    dialect.streams(b"data: " + says("Noon."), b"data: data: [DONE]\n\n")

    assert await reply(dialect) == ["Noon."]


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
async def test_a_reply_in_a_less_usual_form_is_heard(dialect: Dialect, stream: bytes) -> None:
    """Gemini's own streams are lists; old proxies send `text`; `extra_body: {n: 2}` brings two choices."""
    dialect.streams(stream)

    assert "".join(str(piece) for piece in await reply(dialect)) == "It is noon."


async def test_a_byte_that_is_no_utf_8_spoils_its_character_and_not_the_reply(dialect: Dialect) -> None:
    """llama.cpp and its like send tokens that are half a character."""
    dialect.streams(b'data: {"choices":[{"delta":{"content":"It is \xe4\xb8 noon."}}]}\n\n', DONE)

    assert "".join(str(piece) for piece in await reply(dialect)) == "It is \ufffd noon."


@pytest.mark.parametrize(
    "answer",
    [
        {"ResponseMetadata": {"Error": {"Code": "AuthFail", "Message": "bad key"}}},
        {"status": "queued", "id": "7"},
        {"success": False, "result": None},
    ],
)
async def test_an_answer_that_is_no_reply_is_shown_as_it_came(
    dialect: Dialect, answer: dict[str, Any]
) -> None:
    """It was an empty reply, which counts against nobody and tells nobody why."""
    dialect.answers(json.dumps(answer))

    with pytest.raises(InstanceFailed, match=f"is no reply: .*{next(iter(answer))}"):
        await reply(dialect)
