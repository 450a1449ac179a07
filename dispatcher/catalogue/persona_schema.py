"""What the YAML may say of personas, devices and memory."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from dispatcher.catalogue.fields import (
    AnyText,
    Duration,
    InstanceName,
    LanguageName,
    Section,
    Text,
    expected,
)
from dispatcher.catalogue.personas import EVERYWHERE


def _by_instance(value: Any) -> Any:
    """Return a mapping for a voice that is the same everywhere."""
    return {EVERYWHERE: value} if isinstance(value, str) else value


# `zh-CN-XiaoyiNeural`, or `{tts-1: zh-CN-XiaoyiNeural, xfyun: x4_xiaoyan}`.
Voices = Annotated[
    dict[str, Text],
    BeforeValidator(_by_instance),
    expected("a voice, or a mapping from an instance or provider to its voice"),
]
Words = Annotated[list[Text], expected("a list of texts")]
MemoryLength = Annotated[int, Field(ge=100, le=4000), expected("a whole number of 100 to 4000 characters")]
Switch = Annotated[bool, expected("true or false")]


class PersonaSection(Section):
    """Who the assistant is."""

    name: Text | None = None
    system_prompt: AnyText | None = None
    language: LanguageName | None = None
    voices: Voices | None = Field(default=None, alias="voice")
    wake_words: Words | None = None
    greeting: AnyText | None = None
    goodbyes: Words | None = Field(default=None, alias="goodbye")


class DeviceSection(PersonaSection):
    """What is fixed for one device."""

    persona: InstanceName | None = None


class MemorySection(Section):
    """What is kept of users."""

    enabled: Switch | None = None
    max_characters: MemoryLength | None = None
    idle_s: Duration | None = Field(default=None, alias="idle")
