"""Parts of one chunk of the OpenAI dialect, in the forms that servers send them in.

docs/providers/openai-http.md names the reports.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from dispatcher.tools.model import PromptUsage

_USAGE_FIELDS: Final = frozenset({"usage", "timings", "prompt_eval_count", "x_groq"})
# What is more is no count, and Redis cannot add it up.
_MOST: Final = 10**9
_REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "thinking")


@dataclass(slots=True, kw_only=True)
class Delta:
    """What one choice adds to a reply.

    Attributes:
        calls: pieces of tool calls.
        unreadable: parts in a form that is not known.
    """

    text: str = ""
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    unreadable: list[Any] = field(default_factory=list)


def read_delta(delta: Any) -> Delta:
    """Return what a delta, or a whole message in its place, adds."""
    if not delta:
        return Delta(unreadable=[] if delta is None or delta == {} else [delta])
    if not isinstance(delta, dict):
        return Delta(unreadable=[delta])
    text, thought = texts_of(delta.get("content"))
    thinks = not delta.keys().isdisjoint(_REASONING_FIELDS)  # a chunk of each token comes here
    reasonings = (joined_text(delta.get(key)) for key in _REASONING_FIELDS) if thinks else ()
    read = Delta(
        # OpenAI's models say why they will not answer in a field of its own.
        text=text or joined_text(delta.get("refusal")),
        reasoning=next(filter(None, reasonings), "") or thought,
        unreadable=[delta] if text is None else [],
    )
    calls = delta.get("tool_calls")
    listed = [calls] if isinstance(calls, dict) else calls
    if isinstance(listed, list) and all(map(_is_call, listed)):
        read.calls += listed
    elif listed is not None:
        read.unreadable.append(calls)
    if isinstance(delta.get("function_call"), dict):
        read.calls.append({"index": 0, "function": delta["function_call"]})
    return read


def _is_call(piece: Any) -> bool:
    return isinstance(piece, dict) and isinstance(piece.get("function") or {}, dict)


def choice_of(chunk: dict[str, Any]) -> dict[str, Any] | None:
    """Return the choice of index 0, else the first; Ollama's own form, a message without choices, is one."""
    choices = chunk.get("choices")
    listed = [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []
    if listed:
        return next((each for each in listed if each.get("index") in (0, None)), listed[0])
    return chunk if choices is None and isinstance(chunk.get("message"), dict) else None


def delta_of(choice: dict[str, Any]) -> Any:
    """Return what a choice adds; bare text, and the `text` of the older completions API, as a delta."""
    delta = choice.get("delta") or choice.get("text")
    return {"content": delta} if isinstance(delta, str) and delta else delta


def is_error(chunk: dict[str, Any]) -> bool:
    """Return whether a chunk without choices is an error by another name: vLLM, FastAPI, MiniMax."""
    verdict = chunk.get("base_resp")
    if isinstance(verdict, dict) and verdict.get("status_code"):
        return True
    says = isinstance(chunk.get("message"), str) or any(
        chunk.get(key) for key in ("detail", "msg", "error_msg")
    )
    return "choices" not in chunk and says


def texts_of(content: Any) -> tuple[str | None, str]:
    """Return what content says and what it thinks; None where it is no text at all."""
    if content is None or isinstance(content, str):
        return content or "", ""
    if not isinstance(content, list | dict):
        return None, ""
    said = thought = ""
    for part in [content] if isinstance(content, dict) else content:
        if isinstance(part, str):
            said += part
        elif isinstance(part, dict):
            kind = str(part.get("type") or "text")
            if kind in {"thinking", "reasoning"}:
                thought += joined_text(part.get("thinking") or part.get("reasoning") or part.get("text"))
            else:
                said += joined_text(part.get("text") or part.get("refusal"))
    return said, thought


def joined_text(value: Any) -> str:
    """Return the text in a text, in a list of parts or in a part; nothing for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(joined_text, value))
    if isinstance(value, dict):
        return joined_text(value.get("text") or value.get("value") or value.get("content"))
    return ""


def prompt_usage(chunk: dict[str, Any]) -> PromptUsage | None:
    """Return the tokens of a request where a chunk has them: usage, llama.cpp's timings, Ollama's counts.

    Of several chunks the last one counts: servers that send usage with each of them add up. Groq has it in
    `x_groq`. What is cached stands in OpenAI's details, in DeepSeek's hits, or in what llama.cpp did not have
    to read.
    """
    if _USAGE_FIELDS.isdisjoint(chunk):
        return None
    usage = _object(chunk.get("usage")) or _object(_object(chunk.get("x_groq")).get("usage"))
    timings = _object(chunk.get("timings"))
    details = _object(usage.get("prompt_tokens_details"))
    cached = _first_count(
        timings.get("cache_n"), details.get("cached_tokens"), usage.get("prompt_cache_hit_tokens")
    )
    read = _first_count(timings.get("prompt_n"))
    tokens = _first_count(usage.get("prompt_tokens"), chunk.get("prompt_eval_count"))
    if tokens is None and read is not None and cached is not None:
        tokens = read + cached
    if not tokens:
        return None
    if cached is None and read is not None:
        cached = tokens - read
    return PromptUsage(
        tokens=tokens,
        cached=cached if cached is None else min(max(0, cached), tokens),
        completion=_first_count(
            usage.get("completion_tokens"), chunk.get("eval_count"), timings.get("predicted_n")
        ),
    )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first_count(*values: Any) -> int | None:
    return next((each for each in values if type(each) is int and 0 <= each < _MOST), None)
