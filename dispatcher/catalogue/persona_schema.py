"""What the YAML may say of personas, devices, memory and the filler."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from dispatcher.catalogue.fields import (
    AnyText,
    Duration,
    InstanceName,
    LanguageName,
    Section,
    Text,
    expected,
    one_of,
)
from dispatcher.catalogue.personas import EVERYWHERE


def _known_zone(value: str) -> str:
    """Return the name of a zone that this machine, or the package tzdata, knows."""
    try:
        return ZoneInfo(value).key
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(value) from error


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
Zone = Annotated[
    str, AfterValidator(_known_zone), expected("an IANA time zone such as Asia/Shanghai or Europe/Berlin")
]
MemoryLength = Annotated[int, Field(ge=100, le=4000), expected("a whole number of 100 to 4000 characters")]
# A minute of silence is an outage, not a pause to fill.
FillerDelay = Annotated[
    int, Field(ge=1, le=60_000), expected("a whole number of 1 to 60000 milliseconds; filler: null is off")
]
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
    timezone: Zone | None = None
    place: Text | None = None


class DeviceSection(PersonaSection):
    """What is fixed for one device."""

    persona: InstanceName | None = None


class MemorySection(Section):
    """What is kept of users."""

    enabled: Switch | None = None
    max_characters: MemoryLength | None = None
    idle_s: Duration | None = Field(default=None, alias="idle")


class FillerSection(Section):
    """What is said while the answer is slow."""

    after_ms: FillerDelay | None = None
    phrases: dict[Annotated[Literal["zh", "en"], one_of(("zh", "en"))], Words] | None = None


def _switched(value: Any) -> Any:
    """Return null for false, and all defaults for true."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


Filler = Annotated[FillerSection | None, BeforeValidator(_switched)]
