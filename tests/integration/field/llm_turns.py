"""Turns of the field: what LLM servers were reported to send, and what a device has to say then."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.support.services.field import DONE, JSON, Answer, Body, delta, event, text_event

NOON: Final = "It is noon."
SUN: Final = "The sun stands high."
STANDBY: Final = "The standby answers."
SORRY: Final = "Sorry, I could not answer that. Please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldTurn:
    """One turn.

    Attributes:
        case: also the name of the test.
        report: where it was reported.
        answers: to the requests in their order, the last one to all that follow.
        sentences: what the device has to show and say.
        requests: how many requests of the turn the instance may have had.
    """

    case: str
    report: str
    answers: Sequence[Answer]
    sentences: Sequence[str] = (NOON, SUN)
    requests: int = 1


def _answer(*parts: bytes | float) -> Answer:
    return Answer(parts=parts)


def _refusal(status: int, message: str, **more: object) -> Answer:
    body = json.dumps({"error": {"message": message, **more}})
    return Answer(status=status, content_type=JSON, parts=[body.encode()])


def _says(text: str) -> Answer:
    """Stream a text in pieces of three characters."""
    pieces = [text_event(text[at : at + 3]) for at in range(0, len(text), 3)]
    return _answer(*pieces, DONE)


def _stream(*chunks: object) -> bytes:
    return b"".join(event(chunk) for chunk in chunks)


FIRST: Final = text_event("It is noon. ")
SECOND: Final = text_event("The sun stands high.")
_NULL_DELTA: Final = {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}
_NO_DELTA: Final = {"choices": [{"index": 0, "finish_reason": "stop"}]}
_USAGE: Final = {"id": "c", "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}}
_FILTER_RESULTS: Final = {"id": "c", "prompt_filter_results": [{"prompt_index": 0}]}
_THOUGHTS: Final = "The user wants the time. I should look at the clock."


def _strict(body: Body) -> str:
    """Refuse as strict chat templates do (mistralai/mistral-vibe #1006, vllm #6862)."""
    roles = [each["role"] for each in body["messages"] if each["role"] != "system"]
    if roles[-1] not in {"user", "tool"}:
        return f"Expected last role User or Tool for serving but got {roles[-1]}"
    if any(one == other == "user" for one, other in pairwise(roles)):
        return "Conversation roles must alternate user/assistant/user/assistant/..."
    return ""


REFUSED: Final = (
    FieldTurn(
        case="a_model_that_deepseek_does_not_know",
        report="DeepSeek: 400 Model Not Exist",
        answers=[_refusal(400, "Model Not Exist", type="invalid_request_error")],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="a_model_that_ollama_has_not_pulled",
        report="Ollama: 404 model not found",
        answers=[Answer(status=404, content_type=JSON, parts=[b'{"error":"model \'x\' not found"}'])],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="a_dialogue_that_is_too_long",
        report="vLLM, OpenAI: context_length_exceeded",
        answers=[_refusal(400, "maximum context length is 4096 tokens", code="context_length_exceeded")],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="a_model_that_is_still_loading",
        report="llama.cpp: 503 Loading model",
        answers=[_refusal(503, "Loading model", type="unavailable_error", code=503)],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="an_account_without_money",
        report="DeepSeek: 402 Insufficient Balance",
        answers=[_refusal(402, "Insufficient Balance")],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="an_account_without_money_that_says_200",
        report="musistudio/claude-code-router #948: HTTP 200 with an error",
        answers=[Answer(content_type=JSON, parts=[b'{"error":{"message":"Insufficient Balance"}}'])],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="a_key_that_is_wrong",
        report="any service: 401",
        answers=[_refusal(401, "Incorrect API key provided")],
        sentences=[STANDBY],
    ),
)

ODD_STREAMS: Final = (
    *(
        FieldTurn(case=f"{name}_{place}", report=report, answers=[answer])
        for name, report, chunk in (
            ("a_null_delta", "microsoft/graphrag PR #509", _NULL_DELTA),
            ("no_delta", "microsoft/agent-framework PR #5734", _NO_DELTA),
            ("usage_alone", "QwenLM/qwen-code PR #1448", _USAGE),
            ("azure_filter_results", "newrelic/nr-openai-observability PR #62", _FILTER_RESULTS),
            ("no_choices", "Azure OpenAI", {"choices": []}),
        )
        for place, answer in (
            ("first", _answer(event(chunk), FIRST, SECOND, DONE)),
            ("last", _answer(FIRST, SECOND, event(chunk), DONE)),
        )
    ),
    FieldTurn(
        case="a_last_line_without_an_end",
        report="openai/openai-node #2725, google-gemini/gemini-cli #29059",
        answers=[_answer(FIRST, SECOND.rstrip(b"\n"))],
    ),
    FieldTurn(
        case="empty_data_lines",
        report="dataelement/Clawith PR #106",
        answers=[_answer(b"data:\n\n", FIRST, b"data: \n\n", SECOND, DONE)],
    ),
    FieldTurn(
        case="no_space_after_data",
        report="lidge-jun/opencodex #1170",
        answers=[_answer((FIRST + SECOND + DONE).replace(b"data: ", b"data:"))],
    ),
    FieldTurn(
        case="lines_that_end_in_crlf",
        report="lidge-jun/opencodex #1170",
        answers=[_answer((FIRST + SECOND + DONE).replace(b"\n", b"\r\n"))],
    ),
    FieldTurn(
        case="a_server_that_does_not_stream",
        report="musistudio/claude-code-router #948",
        answers=[
            Answer(
                content_type=JSON,
                parts=[
                    json.dumps(
                        {"choices": [{"message": {"role": "assistant", "content": f"{NOON} {SUN}"}}]}
                    ).encode()
                ],
            )
        ],
    ),
    FieldTurn(
        case="magistral_content_in_parts",
        report="BerriAI/litellm #16272, simonw/llm-mistral PR #39",
        answers=[
            _answer(
                delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": _THOUGHTS}]}]),
                delta(content=[{"type": "text", "text": "It is noon. "}]),
                SECOND,
                DONE,
            )
        ],
    ),
)

THINKING: Final = (
    FieldTurn(
        case="glm_that_thinks_before_it_answers",
        report="xinnan PR #1920, PR #3313: reasoning_content before the first word",
        answers=[
            _answer(
                *(part for _ in range(6) for part in (delta(reasoning_content="hm "), 0.5)),
                FIRST,
                SECOND,
                DONE,
            )
        ],
    ),
    FieldTurn(
        case="vllm_whose_reasoning_has_another_name",
        report="hermes-agent PR #101533",
        answers=[_answer(delta(reasoning=_THOUGHTS, content=None), 1.0, FIRST, SECOND, DONE)],
    ),
    FieldTurn(
        case="deepseek_under_load_that_sends_comments",
        report="DeepSeek API docs: `: keep-alive`",
        answers=[
            _answer(*(part for _ in range(3) for part in (b": keep-alive\n\n", 1.0)), FIRST, SECOND, DONE)
        ],
    ),
)

HIDDEN: Final = (
    FieldTurn(
        case="thoughts_in_the_text",
        report="xinnan #1050, #1739",
        answers=[_says(f"<think>\n{_THOUGHTS}\n</think>\n\n{NOON} {SUN}")],
    ),
    FieldTurn(
        case="an_empty_pair_of_think_tags",
        report="xinnan PR #1250 (Qwen3 with thinking off)",
        answers=[_says(f"<think>\n\n</think>\n\n{NOON} {SUN}")],
    ),
    FieldTurn(
        case="html_and_markdown",
        report="xinnan #1473, #1509",
        answers=[_says("**It is noon.**<br>The *sun* stands&nbsp;high.")],
    ),
    FieldTurn(
        case="formulas_code_and_citations",
        report="xinnan #1509, THU-MAIC/OpenMAIC PR #1140, obsidian-aloud-tts PR #146",
        answers=[_says(f"{NOON} [1] {SUN} (╯°□°)╯︵ ┻━┻ 😀")],
    ),
    FieldTurn(
        case="signs_that_look_like_tags",
        report="xinnan #1473: a<b became nothing",
        answers=[_says("如果 a<b 并且 c>d，结果就是对的。")],
        sentences=["如果 a<b 并且 c>d，", "结果就是对的。"],
    ),
    FieldTurn(
        case="harmony_of_gpt_oss",
        report="openai/harmony: channels in the text",
        answers=[
            _says(
                f"<|channel|>analysis<|message|>{_THOUGHTS}<|end|><|start|>assistant"
                f"<|channel|>final<|message|>{NOON} {SUN}"
            )
        ],
    ),
    FieldTurn(
        case="lm_studio_with_events_and_reasoning",
        report="LM Studio: `reasoning` beside content, usage in a chunk of its own",
        answers=[
            _answer(
                b"event: message\n" + delta(role="assistant", reasoning="hm"),
                FIRST,
                SECOND,
                event(_USAGE),
                DONE,
            )
        ],
    ),
    FieldTurn(
        case="a_content_filter_of_dashscope",
        report="DashScope: 400 DataInspectionFailed",
        answers=[_refusal(400, "Input data may contain inappropriate content.", code="DataInspectionFailed")],
        sentences=[SORRY],
    ),
    FieldTurn(
        case="a_content_filter_that_says_nothing",
        report="Azure OpenAI: an empty stream that ends in content_filter",
        answers=[
            _answer(event({"choices": [{"index": 0, "delta": {}, "finish_reason": "content_filter"}]}), DONE)
        ],
        sentences=[SORRY],
    ),
    FieldTurn(
        case="invisible_characters",
        report="cartesia-python #78",
        answers=[_says("It\u200b is noon.\ufeff The\u2060 sun stands high.")],
    ),
)

BROKEN: Final = (
    FieldTurn(
        case="a_strict_template",
        report="mistralai/mistral-vibe #1006, vllm #6862",
        answers=[Answer(parts=[FIRST, SECOND, DONE], refuses=_strict)],
    ),
    FieldTurn(
        case="a_reply_that_broke_off",
        report="microsoft/autogen #1037, mistralai/mistral-vibe #1006",
        answers=[_answer(FIRST, text_event("The sun"), event({"error": {"message": "internal error"}}))],
        sentences=[NOON, STANDBY],
    ),
)

TURNS: Final = (*REFUSED, *ODD_STREAMS, *THINKING, *HIDDEN, *BROKEN)
