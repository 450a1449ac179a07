"""What of a streamed reply is spoken: reasoning is not, however it is marked and cut into pieces."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.dialogue.reasoning_filter import MAX_HELD_CHARACTERS
from dispatcher.dialogue.reply_markup import MAX_CALL_CHARACTERS, ReplyMarkup

HARMONY = "<|start|>assistant<|channel|>final<|message|>"
THOUGHTS = {
    "deepseek, qwen": "<think>\nThe user asks for the time.\n</think>\n\nNoon.",
    "an empty pair": "<think>\n\n</think>\n\nNoon.",
    "one empty tag": "<think/>Noon.",
    "in capitals": "<THINK>Hm.</THINK>Noon.",
    "with attributes": '<think type="long">Hm.</think >Noon.',
    "thinking": "<thinking>Hm.</thinking>Noon.",
    "thought": "<thought>Hm.</thought>Noon.",
    "reasoning": "<reasoning>Hm. a<b</reasoning>Noon.",
    "seed": "<seed:think>Hm.</seed:think>Noon.",
    "an answer in tags": "<think>Hm.</think><answer>Noon.</answer>",
    "magistral": "[THINK]Hm.[/THINK]Noon.",
    "kimi": "◁think▷Hm.◁/think▷Noon.",
    "command a": "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>Noon.<|END_RESPONSE|>",
    "gemma": "<|channel>thought\nHm.<channel|>Noon.",
    "gpt-oss": f"<|channel|>analysis<|message|>Hm.<|end|>{HARMONY}Noon.<|return|>",
    "gpt-oss, analysis alone": f"<|channel|>analysis<|message|>Hm.{HARMONY}Noon.",
    "gpt-oss without its tokens": "analysisWe need to tell the time.assistantfinalNoon.",
    "no opening tag, english": "Okay, the user wants the time.\n</think>\n\nNoon.",
    "no opening tag, more words": "Hmm. Well, so the user's clock is broken.</think>Noon.",
    "no opening tag, chinese": "好的，用户问现在几点。</think>Noon.",
    "no opening tag, another beginning": "Let me think. Twelve.</think>Noon.",
    "no text before the closing tag": "</think>\n\nNoon.",
    "chat template of llama": "<|start_header_id|>assistant<|end_header_id|>\n\nNoon.<|eot_id|>",
    "chat template of qwen": "<|im_start|>assistant\nNoon.<|im_end|>",
    "an end of text": "Noon.</s>",
    "an end of a turn of gemma": "Noon.<end_of_turn>",
    "a response of granite": "<think>Hm.</think><response>Noon.</response>",
    "minimax": "<mm:think>Hm.</mm:think>Noon.",
    "a made-up result": "<tool_response>12:00</tool_response>Noon.",
    "a thought in the middle": "Noon<think>Hm.</think>.",
    "a call while it thinks": 'The user is in a hurry. {"name": "f", "arguments": {}}</think>Noon.',
}
PLAIN = (
    *("It is noon.", "The user manual says so.", "Okay. The sun stands high.", "好的，现在是中午。", "嗯。"),
    *("a<b and c>d", "5 < 6", "[smiles] Hi", "[1] see {x}", '{"answer": "noon"} is it', "a {", "I need to"),
    *("Look:\n```py\nprint(1)\n```\nDone.", "```json\n[1]\n```", '```json\n{"a": 1}\n``` so', "analysis"),
    *("We need to talk.", "[f(1)]", "use `x` now", "analysis is hard", "", "  \n", "<b>bold</b>", "<"),
)


def read(text: str, size: int = 1, **how: bool) -> tuple[str, ReplyMarkup]:
    reply, said = ReplyMarkup(**how), ""
    for at in range(0, len(text), size):
        said += reply.feed(text[at : at + size])
    return said + reply.finish(), reply


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("model", THOUGHTS)
def test_thoughts_are_not_spoken(model: str, size: int) -> None:
    said, reply = read(THOUGHTS[model], size=size)

    assert said == "Noon."
    assert reply.calls == []


@pytest.mark.parametrize("text", PLAIN)
def test_a_reply_without_marks_is_spoken_as_it_is(text: str) -> None:
    assert read(text)[0] == read(text, size=1000)[0] == text
    assert not read(text)[1].has_reasoning


@given(st.text(alphabet="aTe b.,!?\n中。好", max_size=40).map(lambda text: f"It is {text}"), st.data())
def test_text_without_marks_is_not_held_back(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(6, len(text)))
    reply = ReplyMarkup()

    assert reply.feed(text[:at]) == text[:at]
    assert reply.feed(text[at:]) == text[at:]
    assert reply.finish() == ""


_PARTS = st.sampled_from(
    [
        *THOUGHTS.values(),
        *PLAIN,
        "<think>",
        "</thi",
        "<tool_call>",
        "[",
        "{",
        '{"',
        '"}',
        "```",
        "`",
        "<|",
        "\n",
    ]
)


@pytest.mark.parametrize("starts", [True, False])
@given(text=st.lists(_PARTS, max_size=5).map("".join), sizes=st.lists(st.integers(1, 9), min_size=1))
def test_the_same_is_spoken_however_a_reply_is_cut(text: str, sizes: list[int], starts: bool) -> None:  # noqa: FBT001
    # Of reasoning that is known too late, what was given is spoken: so it is opened here, or expected.
    text = text if starts else f"<think>{text}"
    reply, said, rest = ReplyMarkup(starts_thinking=starts), "", text
    for size in sizes * (len(text) // len(sizes) + 1):
        said, rest = said + reply.feed(rest[:size]), rest[size:]
    said += reply.finish()
    whole, by_one = read(text, size=1, starts_thinking=starts)

    assert said == whole
    assert reply.calls == by_one.calls


@pytest.mark.parametrize(
    "text", ["<think>Hm. It is noon.", "<think>Hm.</thi", "<|channel|>analysis<|message|>Hm."]
)
def test_a_thought_that_is_never_closed_is_not_spoken(text: str) -> None:
    said, reply = read(text)

    assert said == ""
    assert reply.has_reasoning


def test_a_model_that_is_known_to_think_is_held_until_it_has_thought() -> None:
    reply = ReplyMarkup(starts_thinking=True)

    assert reply.feed("Is it noon? ") + reply.feed("Yes.") == ""
    assert reply.is_hiding
    assert reply.feed("</think>\n\nNoon") == "Noon"
    assert not reply.is_hiding
    assert reply.lacks_opening


@pytest.mark.parametrize(
    ("text", "is_cut", "said"),
    [
        ("It is noon.", False, "It is noon."),
        ("It is noon.", True, ""),
        ("<think>Hm.</think>Noon.", True, "Noon."),
        ("a" * (MAX_HELD_CHARACTERS + 1), False, ""),
    ],
)
def test_what_is_held_is_the_reply_where_it_ends_without_a_tag(text: str, *, is_cut: bool, said: str) -> None:
    reply = ReplyMarkup(starts_thinking=True)

    assert reply.feed(text) + reply.finish(is_cut=is_cut) == said
    assert not reply.lacks_opening


def test_text_is_not_held_where_reasoning_comes_by_another_way() -> None:
    reply = ReplyMarkup(starts_thinking=True)
    reply.accept_text()

    assert reply.feed("Noon.") == "Noon."


def test_of_a_thought_that_is_known_too_late_the_rest_is_dropped() -> None:
    reply = ReplyMarkup()

    assert reply.feed("It may be noon. ") == "It may be noon. "
    assert reply.feed("Yes.</think>Noon.") == "Noon."
    assert reply.lacks_opening


def test_a_lead_that_goes_on_without_end_is_spoken() -> None:
    assert read("Okay " + "." * 200)[0] == "Okay " + "." * 200


def test_a_word_before_a_tag_is_spoken() -> None:
    assert read("Okay, <think>hm</think>noon.")[0] == "Okay, noon."


@pytest.mark.parametrize("end", ["", "</tool_call>Noon."])
def test_a_call_without_end_takes_no_memory(end: str) -> None:
    said, reply = read("<tool_call>" + "a" * 3 * MAX_CALL_CHARACTERS + end, size=997)

    assert said == ("Noon." if end else "")
    assert reply.calls == []


@pytest.mark.parametrize("begin", ['{"', '```json\n{"', "[f("])
def test_what_begins_like_a_call_and_never_ends_is_text(begin: str) -> None:
    text = begin + "a" * 2 * MAX_CALL_CHARACTERS

    assert read(text, size=997)[0] == text


@pytest.mark.parametrize(
    "sign",
    ["<", "[", "{", "`", "<|", "</", "<think ", '{"', "[f(", "```json\n{", "<tool_call>", "Okay ", "a", "a("],
)
def test_hostile_text_takes_linear_time(sign: str) -> None:
    began_at = time.process_time()
    for begin in ("", "<tool_call>", "[TOOL_CALLS]"):
        read(begin + sign * 10_000, size=len(sign))
        read(begin + sign * 10_000, size=100_000)

    assert time.process_time() - began_at < 3
