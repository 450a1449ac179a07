"""Persona of one device: its own settings, over those of its persona, over the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.fields import EVERYWHERE
from dispatcher.catalogue.model import Instance
from dispatcher.catalogue.personas import DeviceRule, Persona
from dispatcher.dialogue.goodbye import GOODBYES
from dispatcher.messages import Language, TurnTicket

_NAME_MARK: Final = "{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """A persona with nothing left open.

    Attributes:
        system_prompt: with the name in it.
        language: fixed for the device or its persona; None leaves it to what the device says of itself.
        timezone: IANA name of its zone, empty for that of the host.
        voices: see `Persona`.
    """

    name: str
    system_prompt: str
    language: Language | None
    voices: Mapping[str, str]
    wake_words: tuple[str, ...]
    greeting: str
    goodbyes: tuple[str, ...]
    timezone: str
    place: str


def character(rules: Conversation, device_id: str, *, chosen: str = "") -> Character:
    """Return who the assistant is to a device.

    Args:
        rules: the conversation's part of the YAML.
        device_id: in lower case.
        chosen: name of the persona that an operator chose at run time; one that is gone from the YAML, and
            an empty one, leave the device the persona that the YAML gives it.
    """
    rule = rules.devices.get(device_id, _NO_RULE)
    layers = (rule, *persona_layers(rules, persona_name(rules, device_id, chosen=chosen)))
    name = first_said(layers, "name") or ""
    return Character(
        name=name,
        system_prompt=_named(first_said(layers, "system_prompt") or "", name),
        # The default language, also an edited one, stands behind what the device says of itself.
        language=first_said(layers[:-2], "language"),
        voices=next((layer.voices for layer in layers if layer.voices), {}),
        wake_words=first_said(layers, "wake_words") or (),
        greeting=first_said(layers, "greeting") or "",
        goodbyes=first_said((*layers, _DEFAULT), "goodbyes") or (),
        timezone=first_said(layers, "timezone") or "",
        place=first_said(layers, "place") or "",
    )


def persona_layers(rules: Conversation, persona: str) -> tuple[Persona | Conversation, ...]:
    """Return what a persona goes by, the narrowest first; "" is what holds where none is taken."""
    of_all = (rules.edited.get("", Persona()), rules)
    if not persona:
        return of_all
    return (rules.edited.get(persona, Persona()), rules.personas.get(persona, Persona()), *of_all)


def persona_name(rules: Conversation, device_id: str, *, chosen: str = "") -> str:
    """Return the name of a device's persona, empty where it has none, by the rules of `character`."""
    given = rules.devices.get(device_id, _NO_RULE).persona or ""
    return next((name for name in (chosen, given) if name in rules.persona_names), "")


def voices_of(rules: Conversation, ticket: TurnTicket) -> Mapping[str, str]:
    """Return the voices of the persona that speaks to the device of a turn."""
    return character(rules, ticket.device_id, chosen=ticket.persona).voices


def voice_at(voices: Mapping[str, str], instance: Instance) -> str | None:
    """Return the voice of a persona at an instance, or None where it keeps its own."""
    names = (instance.name, instance.provider, EVERYWHERE)
    return next((voices[name] for name in names if name in voices), None)


_NO_RULE: Final = DeviceRule()
_DEFAULT: Final = Persona(goodbyes=GOODBYES)


def first_said(layers: tuple[Persona | Conversation, ...], name: str) -> Any:
    """Return what the narrowest layer says; None where none does."""
    for layer in layers:
        said = getattr(layer, name)
        if said is not None:
            return said
    return None


def _named(prompt: str, name: str) -> str:
    """Return the prompt with the assistant's name, in its place or at the end."""
    if not name or _NAME_MARK in prompt:
        return prompt.replace(_NAME_MARK, name)
    return f"{prompt.rstrip()}\nYour name is {name}. 你的名字是{name}。".lstrip()
