"""Rules of the dialogue: defaults, timeouts, personas, and the filler of a slow answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dispatcher.catalogue.personas import DeviceRule, MemoryRules, Persona
from dispatcher.messages import Language

FILLER_PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "zh": ("嗯，让我想想。", "稍等，我想一下。", "好的，请稍等。"),
    "en": ("Let me think.", "One moment, please.", "Hmm, just a second."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FillerRules:
    """One short phrase that is spoken in a turn whose answer is slow.

    Attributes:
        after_ms: counted from the end of speech; nothing is said where the answer is audible by then.
            0 switches the filler off.
        phrases: by language; one of them is taken, none where the list of a language is empty.
    """

    after_ms: int = 2000
    phrases: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(FILLER_PHRASES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """How the dialogue goes.

    Attributes:
        language: default for devices that say nothing of their own; "auto" detects.
        endpoint_silence_ms: silence that ends an utterance in auto and realtime listening.
        max_utterance_s: an utterance is closed at this length.
        history_tokens: dialogue that the LLM sees, at most.
        turn_timeout_s: from the end of speech to the last sentence, at most.
        stage_timeout_s: wait for a stage's first result, before it is sent again once.
        thinking_timeout_s: how long an LLM whose stream lives may go without text of the reply; neither of
            the other two timeouts counts that time.
        max_reply_s: spoken time after which a reply ends at the next end of a sentence.
        filler: what is said while nothing of the answer is audible.
        name, voices, greeting, goodbyes, timezone, place: as in `Persona`, for devices to which nothing
            narrower is said.
        personas: by name, for devices to take one of.
    """

    language: Language = "auto"
    name: str | None = None
    voices: Mapping[str, str] = field(default_factory=dict)
    greeting: str = ""
    goodbyes: tuple[str, ...] | None = None
    timezone: str | None = None
    place: str | None = None
    system_prompt: str = ""
    wake_words: tuple[str, ...] = ()
    endpoint_silence_ms: int = 700
    max_utterance_s: float = 60.0
    history_tokens: int = 2000
    turn_timeout_s: float = 60.0
    stage_timeout_s: float = 10.0
    thinking_timeout_s: float = 45.0
    max_reply_s: float = 90.0
    filler: FillerRules = field(default_factory=FillerRules)
    personas: Mapping[str, Persona] = field(default_factory=dict)
    devices: Mapping[str, DeviceRule] = field(default_factory=dict)
    memory: MemoryRules = field(default_factory=MemoryRules)
