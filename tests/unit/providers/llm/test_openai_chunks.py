"""Parts of chunks in each form that servers send."""

from __future__ import annotations

from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.errors import InstanceFailed
from dispatcher.providers.dashscope import Event
from dispatcher.providers.event_stream import Malformed
from dispatcher.providers.llm.openai_chat import _parameters
from dispatcher.providers.llm.openai_chunks import Delta, prompt_usage, read_delta
from dispatcher.providers.llm.reply_reader import MAX_MALFORMED_CHUNKS, UnreadableChunks
from dispatcher.tools.model import PromptUsage

CALL = {"function": {"name": "mute"}}


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (None, Delta()),
        ({}, Delta()),
        ({"content": "Hi"}, Delta(text="Hi")),
        ({"content": [{"text": "H"}, "i"]}, Delta(text="Hi")),
        ({"refusal": "No."}, Delta(text="No.")),
        ({"reasoning": "Hm", "content": None}, Delta(reasoning="Hm")),
        ({"content": [{"type": "thinking", "thinking": "Hm"}]}, Delta(reasoning="Hm")),
        ({"tool_calls": [CALL]}, Delta(calls=[CALL])),
        ({"tool_calls": CALL}, Delta(calls=[CALL])),
        ({"function_call": {"name": "mute"}}, Delta(calls=[{"index": 0, **CALL}])),
        ({"content": "Hi", "tool_calls": "mute"}, Delta(text="Hi", unreadable=["mute"])),
        ("Hi", Delta(unreadable=["Hi"])),
        ({"content": 7}, Delta(unreadable=[{"content": 7}])),
    ],
)
def test_a_delta_adds_text_reasoning_and_calls(sent: Any, read: Delta) -> None:
    assert read_delta(sent) == read


def unreadable() -> UnreadableChunks:
    return UnreadableChunks(Instance(service="llm", name="llm-1", endpoint="http://llm/v1"))


def test_an_answer_without_choices_is_shown_where_nothing_else_came() -> None:
    chunks = unreadable()
    chunks.raise_if_any()
    chunks.add_without_choice({"status": "queued"})
    with pytest.raises(InstanceFailed, match=r"is no reply: .*queued"):
        chunks.raise_if_any()
    chunks.mark_choice()
    chunks.raise_if_any()


def test_a_few_malformed_chunks_are_passed_over_and_many_are_not() -> None:
    chunks = unreadable()
    for _ in range(MAX_MALFORMED_CHUNKS):
        chunks.add(Malformed(b"{half"))
    with pytest.raises(InstanceFailed, match=r"chunk was b'\{half'"):
        chunks.raise_if_any()
    with pytest.raises(InstanceFailed, match="chunk was"):
        chunks.add({"more": 1})


@pytest.mark.parametrize(
    ("chunk", "usage"),
    [
        ({"choices": []}, None),
        ({"usage": None}, None),
        ({"usage": {"prompt_tokens": 0}}, None),
        ({"usage": {"prompt_tokens": True}}, None),
        ({"usage": {"prompt_tokens": 812}}, PromptUsage(tokens=812)),
        (
            {"usage": {"prompt_tokens": 812, "prompt_tokens_details": {"cached_tokens": 768}}},
            PromptUsage(tokens=812, cached=768),
        ),
        ({"usage": {"prompt_tokens": 812, "prompt_cache_hit_tokens": 9}}, PromptUsage(tokens=812, cached=9)),
        ({"timings": {"cache_n": 790, "prompt_n": 22}}, PromptUsage(tokens=812, cached=790)),
        ({"timings": {"prompt_n": 22}}, None),
        ({"timings": {"prompt_n": 22}, "usage": {"prompt_tokens": 812}}, PromptUsage(tokens=812, cached=790)),
        ({"done": True, "prompt_eval_count": 812}, PromptUsage(tokens=812)),
        (
            {"done": True, "prompt_eval_count": 812, "eval_count": 40},
            PromptUsage(tokens=812, completion=40),
        ),
        (
            {"choices": [], "usage": {"prompt_tokens": 812, "completion_tokens": 40, "total_tokens": 852}},
            PromptUsage(tokens=812, completion=40),
        ),
        (
            {"timings": {"cache_n": 790, "prompt_n": 22, "predicted_n": 40}},
            PromptUsage(tokens=812, cached=790, completion=40),
        ),
        (
            {"usage": None, "x_groq": {"usage": {"prompt_tokens": 812, "completion_tokens": 40}}},
            PromptUsage(tokens=812, completion=40),
        ),
        ({"usage": {"prompt_tokens": 812, "completion_tokens": None}}, PromptUsage(tokens=812)),
        ({"usage": {"prompt_tokens": 812, "completion_tokens": "many"}}, PromptUsage(tokens=812)),
    ],
)
def test_the_tokens_of_a_request_are_read_in_each_form(
    chunk: dict[str, Any], usage: PromptUsage | None
) -> None:
    """OpenAI, vLLM; DeepSeek; llama.cpp with and without its count of cached tokens; Ollama; Groq."""
    assert prompt_usage(chunk) == usage


def test_a_cache_key_is_sent_to_openai_alone_and_is_that_of_the_prompt() -> None:
    def key_at(endpoint: str, prompt: str) -> Any:
        messages = [Message(role="system", content=prompt), Message(role="user", content=endpoint)]
        forms = _parameters(Instance(service="llm", name="a", endpoint=endpoint), messages)
        return {name: value for (first, *_) in forms for name, value in first.fields.items()}.get(
            "prompt_cache_key"
        )

    assert key_at("http://127.0.0.1:8080/v1", "Be brief.") is None
    key = key_at("https://api.openai.com/v1", "Be brief.")
    assert key == key_at("https://site.openai.azure.com/v1", "Be brief.")
    assert key != key_at("https://api.openai.com/v1", "Be kind.")


def test_a_count_of_hundreds_of_digits_is_no_count() -> None:
    assert prompt_usage({"usage": {"prompt_tokens": 10**400}}) is None
    assert Event(name="", payload={"usage": {"duration": 10**400}}).usage("duration") is None
