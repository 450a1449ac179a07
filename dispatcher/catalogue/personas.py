"""Personas of the assistant: for everyone, a group of devices or one device; and what it keeps in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from dispatcher.catalogue.fields import (
    AnyText,
    Duration,
    InstanceName,
    LanguageName,
    MemoryLength,
    Switch,
    Text,
    Voices,
    Words,
    Zone,
)
from dispatcher.catalogue.section import Section, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona(Section):
    """Who the assistant is to a group of devices. None, and no voices, leave what is said more widely.

    Attributes:
        name: what the assistant is called.
        voices: by name of a TTS instance or of its provider, or `*`: voices have other names at
            each service.
        greeting: spoken when a device wakes up; empty says nothing.
        goodbyes: what the user says to end the session.
        timezone: IANA name of the zone that the local time is told in, such as "Asia/Shanghai".
        place: where its users are, in words for the LLM, such as "Shenzhen".
    """

    name: Text | None = None
    system_prompt: AnyText | None = None
    language: LanguageName | None = None
    voices: Annotated[Voices, key("voice")] = field(default_factory=dict)
    wake_words: Words | None = None
    greeting: AnyText | None = None
    goodbyes: Annotated[Words | None, key("goodbye")] = None
    timezone: Zone | None = None
    place: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRule(Persona):
    """What is fixed for one device, over the persona that it names."""

    persona: InstanceName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRules(Section):
    """What is kept of users beyond the dialogue; nothing unless the operator wants it (docs/adr/0014).

    Attributes:
        max_characters: of what is kept for one device.
        idle_s: a dialogue that rests this long is summed up.
    """

    enabled: Switch = False
    max_characters: MemoryLength = 1000
    idle_s: Annotated[Duration, key("idle")] = 60.0
