"""An LLM engine that gives the same answer every time, token by token, at exact times."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dispatcher.bundled.engines import Language, Message, Tool
from dispatcher.bundled.options import at_least, read_options
from dispatcher.bundled.registry import Prepared
from dispatcher.bundled.timed.faults import Faults
from dispatcher.bundled.timed.options import read_faults
from dispatcher.bundled.timed.pace import Schedule, paced

# Three sentences, the first clause short: six seconds of audio from the timed TTS.
ANSWER: Final = (
    "Sure, here it is. The kettle is on, and tea will be ready soon. Please sit down for a moment."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedLlmOptions:
    """What `--set` may change."""

    first_token_s: float = at_least(0, default=0.3)
    tokens_per_s: float = at_least(0.1, default=40)
    token_characters: int = at_least(1, default=2)
    text: str = field(default=ANSWER)


def prepare(options: Mapping[str, str]) -> Prepared:
    """Return the engine for these options."""
    rest, faults = read_faults(options)
    chosen = read_options(TimedLlmOptions, rest)
    return Prepared(load=lambda: TimedLlm(chosen, faults), faults=faults)


class TimedLlm:
    """Answers by the clock."""

    model = "timed-llm"

    def __init__(self, options: TimedLlmOptions, faults: Faults) -> None:
        """Cut the answer into tokens once."""
        size = options.token_characters
        self._tokens = [options.text[at : at + size] for at in range(0, len(options.text), size)]
        self._schedule = Schedule(first_s=options.first_token_s, interval_s=1 / options.tokens_per_s)
        self._faults = faults

    def respond(
        self,
        messages: Sequence[Message],  # noqa: ARG002  the answer is always the same
        *,
        language: Language,  # noqa: ARG002
        tools: Sequence[Tool] = (),  # noqa: ARG002
    ) -> AsyncGenerator[str, None]:
        """Yield the fixed answer."""
        return paced(self._tokens, self._schedule, self._faults.current(), sign_of_life="")

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""
