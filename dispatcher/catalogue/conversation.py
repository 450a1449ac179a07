"""Settings of the dialogue: defaults, timeouts, personas, and the filler of a slow answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, model_validator

from dispatcher.catalogue.fields import (
    AnyText,
    Count,
    CountOrNone,
    Duration,
    EndpointingName,
    FillerDelay,
    InstanceName,
    LanguageName,
    PhraseLanguage,
    Switch,
    Text,
    Voices,
    WasteShare,
    Words,
    Zone,
)
from dispatcher.catalogue.personas import DeviceRule, MemoryRules, Persona
from dispatcher.catalogue.section import Section, key, or_defaults
from dispatcher.messages import Language, Service, canonical_device_id

FILLER_PHRASES: Final[Mapping[str, tuple[str, ...]]] = {
    "zh": ("嗯，让我想想。", "稍等，我想一下。", "好的，请稍等。"),
    "en": ("Let me think.", "One moment, please.", "Hmm, just a second."),
}


def _over_defaults(given: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
    """Return the phrases of all languages: one that has no list of its own keeps the default."""
    return {**FILLER_PHRASES, **given}


def _switched(value: Any) -> Any:
    """Return all defaults for true, and a delay that is off for false."""
    return {True: FillerRules(), False: FillerRules(after_ms=0)}[value] if isinstance(value, bool) else value


def _enabled(value: Any) -> Any:
    """Return what true and false mean for a section that has `enabled`."""
    return {"enabled": value} if isinstance(value, bool) else value


def _by_canonical_id(devices: Mapping[str, DeviceRule]) -> Mapping[str, DeviceRule]:
    return {canonical_device_id(device_id): rule for device_id, rule in devices.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FillerRules(Section):
    """One short phrase that is spoken in a turn whose answer is slow.

    Attributes:
        after_ms: counted from the end of speech; nothing is said where the answer is audible by then.
            0 switches the filler off.
        phrases: by language; one of them is taken, none where the list of a language is empty.
    """

    after_ms: FillerDelay = 2000
    phrases: Annotated[Mapping[PhraseLanguage, Words], AfterValidator(_over_defaults)] = field(
        default_factory=lambda: dict(FILLER_PHRASES)
    )


def _by_strategy(value: Any) -> Any:
    """Return a section for the bare name of a strategy."""
    return {"strategy": value} if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpointing(Section):
    """How the end of an utterance is found in auto and realtime listening.

    Attributes:
        strategy: `silence` goes by `endpoint_silence_ms` alone; `smart_turn` has a model judge each pause,
            and goes by silence where it has not.
        pause_ms: silence after which a pause is judged.
        finished_silence_ms, unfinished_silence_ms: silence that ends an utterance judged as such; it is
            counted in windows of 32 ms.
    """

    strategy: EndpointingName = "silence"
    pause_ms: Count = 96
    finished_silence_ms: Count = 192
    unfinished_silence_ms: Count = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefillRules(Section):
    """When an LLM reads prompt, tools and history while the user still speaks (docs/adr/0042).

    Attributes:
        idle_s: a dialogue that rests for so long may have been dropped from the instance's memory; one that
            goes on is not read again.
        paid: instances that have a key take part as well.
    """

    enabled: Switch = True
    idle_s: Annotated[Duration, key("idle")] = 60.0
    paid: Switch = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeculationRules(Section):
    """When a turn begins at a pause in auto and realtime listening, before it is the end (docs/adr/0041).

    Attributes:
        pause_ms: silence after which it begins.
        waste_budget: share of all LLM calls that may be made for speech that went on.
        paid: instances that have a key take part as well.
    """

    enabled: Switch = True
    pause_ms: Count = 128
    waste_budget: WasteShare = 0.2
    paid: Switch = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation(Section):
    """How the dialogue goes.

    Attributes:
        language: default for devices that say nothing of their own; "auto" detects.
        endpointing: the strategy that ends an utterance in auto and realtime listening.
        endpoint_silence_ms: silence that ends it where no model judged the pause.
        max_utterance_s: an utterance is closed at this length.
        history_tokens: dialogue that the LLM sees, at most.
        turn_timeout_s: from the end of speech to the last sentence, at most.
        stage_timeout_s: wait for a stage's first result, before it is sent again once.
        thinking_timeout_s: how long an LLM whose stream lives may go without text of the reply; neither of
            the other two timeouts counts that time.
        max_reply_s: spoken time after which a reply ends at the next end of a sentence.
        prefix_affinity: the LLM that served a dialogue is preferred for its next turns, within bounds.
        prefill: whether an LLM reads the beginning of a prompt while the user speaks.
        speculation: whether a turn begins at a pause that may be the end of the utterance.
        filler: what is said while nothing of the answer is audible.
        name, voices, greeting, goodbyes, timezone, place: as in `Persona`, for devices to which nothing
            narrower is said.
        personas: by name, for devices to take one of.
        edited: what an operator set at run time, by persona; "" is what holds where none is taken.
    """

    language: LanguageName = "auto"
    name: Text | None = None
    voices: Annotated[Voices, key("voice")] = field(default_factory=dict)
    greeting: AnyText = ""
    goodbyes: Annotated[Words | None, key("goodbye")] = None
    timezone: Zone | None = None
    place: Text | None = None
    system_prompt: AnyText = ""
    wake_words: tuple[Text, ...] = ()
    endpointing: Annotated[Endpointing, BeforeValidator(_by_strategy)] = field(default_factory=Endpointing)
    endpoint_silence_ms: Count = 700
    max_utterance_s: Duration = 60.0
    history_tokens: CountOrNone = 2000
    turn_timeout_s: Duration = 60.0
    stage_timeout_s: Duration = 10.0
    thinking_timeout_s: Annotated[Duration, key("thinking_timeout")] = 45.0
    max_reply_s: Duration = 90.0
    prefix_affinity: Switch = True
    prefill: Annotated[PrefillRules, BeforeValidator(_enabled)] = field(
        default_factory=lambda: PrefillRules(enabled=False)
    )
    speculation: Annotated[SpeculationRules, BeforeValidator(_enabled)] = field(
        default_factory=SpeculationRules
    )
    filler: Annotated[FillerRules, BeforeValidator(_switched)] = field(default_factory=FillerRules)
    personas: Mapping[InstanceName, Annotated[Persona, BeforeValidator(or_defaults)]] = field(
        default_factory=dict
    )
    devices: Annotated[
        Mapping[str, Annotated[DeviceRule, BeforeValidator(or_defaults)]], AfterValidator(_by_canonical_id)
    ] = field(default_factory=dict)
    memory: MemoryRules = field(default_factory=MemoryRules)
    edited: Annotated[Mapping[str, Persona], key("#edited")] = field(default_factory=dict)

    @property
    def persona_names(self) -> tuple[str, ...]:
        """Names of the personas that a device can take."""
        return tuple(dict.fromkeys((*self.personas, *filter(None, self.edited))))

    @property
    def default_language(self) -> Language:
        """Language of devices that say nothing of their own, as an operator edited it or as in the YAML."""
        edit = self.edited.get("")
        return (edit.language if edit else None) or self.language

    def uses_spare_slots(self, service: Service) -> bool:
        """Return whether some calls to a service may hold slots that real calls take from them."""
        return self.speculation.enabled or (service == "llm" and self.prefill.enabled)

    @model_validator(mode="before")
    @classmethod
    def _switch_filler(cls, data: Any) -> Any:
        """Take `filler:` without a value for off, unlike any other key."""
        is_off = isinstance(data, dict) and "filler" in data and data["filler"] is None
        return {**data, "filler": False} if is_off else data
