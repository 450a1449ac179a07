"""Options of a module of the other server: those that an instance of ours has, and those that are lost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

from dispatcher.messages import SpeechFormat
from dispatcher.ops.xiaozhi_import.legacy_config import is_placeholder, text_of

# Options without a meaning here: the kind itself, files of the other server, how its HTTP call is made.
_WITHOUT_LOSS: Final = frozenset({"type", "output_dir", "delete_audio", "method", "stream", "authorization"})
# Values that change nothing where they stand.
_NEUTRAL: Final[Mapping[str, tuple[str, ...]]] = {
    "speed": ("1", "1.0"),
    "speed_ratio": ("1", "1.0"),
    "volume_ratio": ("1", "1.0"),
    "pitch_ratio": ("1", "1.0"),
    "rate": ("+0%", "0%", "1", "1.0"),
    "volume": ("+0%", "0%"),
    "pitch": ("+0Hz", "0Hz", "0"),
}
# What the other server sends beside temperature and length, in OpenAI's words.
_SAMPLING: Final = ("top_p", "frequency_penalty", "presence_penalty")
_HOTTEST: Final = 2.0
_OLLAMA_OPTIONS: Final = frozenset({"top_p", "top_k", "frequency_penalty", "presence_penalty", "seed"})
# Ollama's context is the instance's own matter.
_OLLAMA_CONTEXT: Final = "num_ctx"


class Module(Mapping[str, Any]):
    """A section of the other server that remembers which of its options were taken."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Take none yet."""
        self._options = options
        self._taken: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        """Return an option, which counts as taken."""
        value = self._options[name]
        self._taken.add(name)
        return value

    def __iter__(self) -> Iterator[str]:
        """Name all options."""
        return iter(self._options)

    def __len__(self) -> int:
        """Count all options."""
        return len(self._options)

    def leave(self, name: str) -> None:
        """Let an option count as lost after all."""
        self._taken.discard(name)

    def lost(self) -> tuple[str, ...]:
        """Return the names of the options that say something and were not taken."""
        return tuple(
            str(name)
            for name, value in self._options.items()
            if name not in self._taken and name not in _WITHOUT_LOSS and says_something(str(name), value)
        )


def says_something(name: str, value: Any) -> bool:
    """Return whether an option was filled in, and with more than what holds without it."""
    if value is None or value is False or value in ("", [], {}):
        return False
    text = text_of(value)
    if text and (is_placeholder(text) or text.lower() in {"none", "null"}):
        return False
    return text not in _NEUTRAL.get(name, ())


def number_of(value: Any) -> float | int | None:
    """Return a number, also one that was written as a text; None for what is none."""
    try:
        number = float(text_of(value))
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else number


def first_text(module: Module, names: Iterable[str]) -> str:
    """Return the first of these options that is filled in, as a text; the ones behind it are not taken."""
    return next((text for name in names if (text := text_of(module.get(name)))), "")


def llm_options(module: Module) -> dict[str, Any]:
    """Return the keys of an LLM instance that sampling and thinking of a module become."""
    sampling = _sampling(module)
    return {**_llm_keys(module), **({"extra_body": sampling} if sampling else {})}


def ollama_options(module: Module) -> dict[str, Any]:
    """Return the same for Ollama, which has most of the sampling in a place of its own in its requests."""
    sampling = _sampling(module)
    inside = {name: value for name, value in sampling.items() if name in _OLLAMA_OPTIONS}
    body = {name: sampling[name] for name in sampling if name not in {*_OLLAMA_OPTIONS, _OLLAMA_CONTEXT}}
    body |= {"options": {**inside, **body.get("options", {})}} if inside else {}
    return {**_llm_keys(module), **({"extra_body": body} if body else {})}


def _llm_keys(module: Module) -> dict[str, Any]:
    temperature = _number(module, "temperature", most=_HOTTEST)
    longest = _number(module, "max_tokens", least=1)
    return {
        **({} if temperature is None else {"temperature": temperature}),
        **({} if not isinstance(longest, int) else {"max_tokens": longest}),
        **({"thinking": "off"} if _is_thinking_off(module) else {}),
    }


def _sampling(module: Module) -> dict[str, Any]:
    """Return the sampling that goes into each request as it is, the module's own `extra_body` over it."""
    found = {name: _number(module, name, least=-_HOTTEST) for name in _SAMPLING}
    sampling = {name: number for name, number in found.items() if number is not None}
    extra = module.get("extra_body")
    if not isinstance(extra, Mapping):
        module.leave("extra_body")
        extra = {}
    return {**sampling, **{str(name): value for name, value in extra.items()}}


def speech_options(module: Module) -> dict[str, Any]:
    """Return format and speed of a voice of the OpenAI dialect; no speed for the usual one."""
    speed = _number(module, "speed", least=0.25, most=4)
    return {**speech_format(module), **({} if speed in (None, 1) else {"extra_body": {"speed": speed}})}


def speech_format(module: Module) -> dict[str, Any]:
    """Return the format that speech is asked for in, where it is one that is read here."""
    for name in ("response_format", "format", "audio_format"):
        written = text_of(module.get(name)).lower()
        if written in get_args(SpeechFormat):
            for other in ("response_format", "format", "audio_format"):
                module.get(other)
            return {"format": written}
        module.leave(name)
    return {}


def _number(module: Module, name: str, *, least: float = 0, most: float = math.inf) -> float | int | None:
    number = number_of(module.get(name))
    if number is not None and least <= number <= most:
        return number
    module.leave(name)
    return None


def _is_thinking_off(module: Module) -> bool:
    """Return whether the model is told not to think, in any of the ways that are in use."""
    for name in ("enable_thinking", "thinking", "think"):
        value = module.get(name)
        if isinstance(value, Mapping):
            value = value.get("type")
        if value is False or text_of(value).lower() in {"off", "disabled", "false"}:
            return True
        module.leave(name)
    return False
