"""Phrases by what their sound depends on: text, language, voice and encoder. A digest stands for all of it.

No text is kept: who reads the cache finds digests and sound.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Final

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.persona import voice_at
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, AudioFormat, Language, Priority

# Settings of the encoder (dispatcher/audio/opus.py): with others the same text has other packets.
SPEECH_BITRATE: Final = 32_000
ENCODING: Final = f"{REPLY_RATE_HZ}/{REPLY_FRAME_MS}/{SPEECH_BITRATE}"
# A phrase that is not used counts half as much after a day; what a hit was worth recently, after ten minutes.
USE_HALF_LIFE_S: Final = 24 * 3600
RECENT_HALF_LIFE_S: Final = 600
FIXED_BONUS: Final = 1_000_000
# As long as a dialogue is kept, from the last use on. A server that is asked for no voice by name may have
# another one by now, so what it spoke is made again after an hour; what a stand-in spoke, sooner.
PHRASE_TTL_S: Final = 24 * 3600
NAMELESS_TTL_S: Final = 3600
STAND_IN_TTL_S: Final = 600
# A sentence that comes again within an hour was said twice; digests of so many are kept.
SAID_TTL_MS: Final = 3_600_000
SAID_KEPT: Final = 5_000
# Who makes a phrase has so long before another one may.
MAKING_MS: Final = 5_000
# One phrase takes at most this part of the budget.
LARGEST_SHARE: Final = 8
_ORDER: Final[Mapping[Priority, int]] = {"high": 0, "normal": 1, "low": 2, "standby": 3}
# What does not change how an instance sounds. Two that load the same model differ in these alone.
_SILENT: Final = (
    *("service", "name", "weight", "priority", "max_concurrent"),
    *("api_key_env", "api_secret_env", "is_added"),
)
_BLANKS: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenPhrase:
    """One text as a device is to hear it.

    Attributes:
        language: that it is spoken in.
        is_fixed: it is no sentence of an answer, and is kept at its first saying: a greeting, a filler, an
            apology.
    """

    text: str
    language: Language
    audio_format: AudioFormat = "opus"
    is_fixed: bool = False


def normal_text(text: str) -> str:
    """Return a text in the one form that all writings of it share; case and marks are heard, so they stay."""
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).strip()


def with_persona(instance: Instance, voices: Mapping[str, str]) -> Instance:
    """Return an instance with the voice that a persona has there."""
    voice = voice_at(voices, instance) or instance.voice
    return instance if voice == instance.voice else replace(instance, voice=voice)


def digest(phrase: SpokenPhrase, speaker: Instance) -> str:
    """Return what names the packets of a phrase, spoken by an instance with its persona's voice."""
    words = (_sound_of(_Speaker(speaker)), ENCODING, phrase.audio_format, phrase.language)
    return _digest("\n".join((*words, normal_text(phrase.text))))


def digests(
    phrase: SpokenPhrase, instances: Iterable[Instance], voices: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the digests under which a phrase may be kept, in the order in which instances are asked."""
    ordered = sorted(instances, key=lambda each: _ORDER[each.priority])
    return tuple(dict.fromkeys(digest(phrase, with_persona(each, voices)) for each in ordered))


def usual_instances(instances: Sequence[Instance]) -> list[Instance]:
    """Return those of the best priority that is there."""
    best = min((_ORDER[each.priority] for each in instances), default=0)
    return [each for each in instances if _ORDER[each.priority] == best]


def ttl_s(speaker: Instance, instances: Sequence[Instance]) -> int:
    """Return how long a phrase is kept, by who spoke it; only `PHRASE_TTL_S` counts from its last use.

    Args:
        speaker: with the voice that it had.
        instances: those that could be asked, the unconfigured left out.
    """
    if any(_ORDER[each.priority] < _ORDER[speaker.priority] for each in instances):
        return STAND_IN_TTL_S
    return PHRASE_TTL_S if speaker.voice else NAMELESS_TTL_S


class _Speaker:
    """An instance as a key: its extra body has no hash of its own."""

    __slots__ = ("instance",)

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def __hash__(self) -> int:
        return hash((self.instance.name, self.instance.voice))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Speaker) and self.instance == other.instance


@lru_cache(maxsize=256)
def _sound_of(speaker: _Speaker) -> str:
    """Return the digest of all settings that an instance's sound depends on."""
    settings = asdict(speaker.instance)
    # Servers without the name of a voice have one of their own each.
    silent = (*_SILENT, *(("endpoint",) if speaker.instance.voice else ()))
    heard = {name: value for name, value in settings.items() if name not in silent}
    return _digest(json.dumps(heard, sort_keys=True, ensure_ascii=False, default=str))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
