"""Who the assistant is: to everyone, to a group of devices, to one device; and what it keeps in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dispatcher.messages import Language

# In `voices`, the voice at every instance that is not named.
EVERYWHERE: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """Who the assistant is to a group of devices. None, and no voices, leave what is said more widely.

    Attributes:
        name: what the assistant is called.
        voices: by name of a TTS instance or of its provider, or `EVERYWHERE`: voices have other names at
            each service.
        greeting: spoken when a device wakes up; empty says nothing.
        goodbyes: what the user says to end the session.
        timezone: IANA name of the zone that the local time is told in, such as "Asia/Shanghai".
        place: where its users are, in words for the LLM, such as "Shenzhen".
    """

    name: str | None = None
    system_prompt: str | None = None
    language: Language | None = None
    voices: Mapping[str, str] = field(default_factory=dict)
    wake_words: tuple[str, ...] | None = None
    greeting: str | None = None
    goodbyes: tuple[str, ...] | None = None
    timezone: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRule(Persona):
    """What is fixed for one device, over the persona that it names."""

    persona: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRules:
    """What is kept of users beyond the dialogue; nothing unless the operator wants it (docs/adr/0014).

    Attributes:
        max_characters: of what is kept for one device.
        idle_s: a dialogue that rests this long is summed up.
    """

    enabled: bool = False
    max_characters: int = 1000
    idle_s: float = 60.0
