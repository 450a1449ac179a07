"""Turns in which several reported faults come at once."""

from __future__ import annotations

from typing import Final

from tests.integration.field.llm_turns import FIRST, SECOND, STANDBY, FieldTurn
from tests.support.services.field import DONE, JSON, Answer, event, text_event

NULL_DELTA: Final = {"choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]}
_CUT: Final = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
_HALF_CHARACTERS: Final = FIRST.replace(b"noon", b"noon\xe4\xb8")
_HALF_EMOJI: Final = (
    b'data: {"choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"\\ude00"}}]}\n\n',
)
_OVERLOADED: Final = b'event: error\ndata: {"type":"overloaded_error","message":"Busy"}\n\n'
_NO_REPLY: Final = b'{"ResponseMetadata":{"Error":{"Code":"AuthFail","Message":"bad key"}}}'
_WITHOUT_AN_END: Final = (FIRST + SECOND + event(NULL_DELTA)).replace(b"\n", b"\r\n").rstrip(b"\r\n")

COMBINED: Final = (
    FieldTurn(
        case="crlf_and_a_null_delta_without_an_end",
        report="graphrag PR #509 behind opencodex #1170 and openai-node #2725, all at once",
        answers=[Answer(parts=[_WITHOUT_AN_END])],
    ),
    FieldTurn(
        case="characters_that_are_cut_in_two",
        report="llama.cpp: tokens that are half a character",
        answers=[
            Answer(
                parts=[
                    *(_HALF_CHARACTERS[at : at + 1] for at in range(len(_HALF_CHARACTERS))),
                    SECOND,
                    DONE,
                ]
            )
        ],
    ),
    FieldTurn(
        case="an_emoji_in_two_chunks",
        report="JSON escapes of UTF-16 halves, each in a chunk of its own",
        answers=[Answer(parts=[FIRST, *_HALF_EMOJI, SECOND, DONE])],
    ),
    FieldTurn(
        case="an_error_event_after_a_blank_text",
        report="Anthropic's overloaded_error through OpenAI proxies",
        answers=[Answer(parts=[text_event("  "), _OVERLOADED])],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="an_answer_that_is_no_reply",
        report="Volcano Ark: ResponseMetadata under HTTP 200",
        answers=[Answer(content_type=JSON, parts=[_NO_REPLY])],
        sentences=[STANDBY],
    ),
    FieldTurn(
        case="a_reply_that_is_cut_at_once",
        report="a server whose context is full: finish_reason length without a word",
        answers=[Answer(parts=[event(_CUT), DONE])],
        sentences=[STANDBY],
    ),
)
