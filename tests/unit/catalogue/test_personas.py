"""Personas, devices and memory in the YAML."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.catalogue.fields import EVERYWHERE
from dispatcher.catalogue.personas import DeviceRule, MemoryRules, Persona
from tests.unit.catalogue.files import CatalogueFile, file_with

CONVERSATION = """
conversation:
  name: 小智
  voice: {tts-1: alloy, xfyun: x4_xiaoyan}
  greeting: 我在
  goodbye: [再见, so long]
  personas:
    kids: {name: Bobo, system_prompt: "You are {name}.", voice: nova, language: en, wake_words: [hi bobo]}
    quiet: {greeting: ""}
  devices:
    "AA:BB:CC:DD:EE:FF": {persona: kids, language: zh}
    "aa:bb:cc:dd:ee:00":
  memory: {enabled: true, max_characters: 500, idle: 2m}
"""


def test_personas_devices_and_memory_are_read(catalogue_file: CatalogueFile) -> None:
    rules = catalogue_file.loads_as(file_with(more=CONVERSATION)).conversation
    assert (rules.name, rules.greeting, rules.goodbyes) == ("小智", "我在", ("再见", "so long"))
    assert rules.voices == {"tts-1": "alloy", "xfyun": "x4_xiaoyan"}
    assert rules.personas["kids"] == Persona(
        name="Bobo",
        system_prompt="You are {name}.",
        voices={EVERYWHERE: "nova"},
        language="en",
        wake_words=("hi bobo",),
    )
    assert rules.personas["quiet"].greeting == ""
    assert rules.devices["aa:bb:cc:dd:ee:ff"] == DeviceRule(persona="kids", language="zh")
    assert rules.devices["aa:bb:cc:dd:ee:00"] == DeviceRule()
    assert rules.memory == MemoryRules(enabled=True, max_characters=500, idle_s=120)


def test_personas_travel_with_the_catalogue(catalogue_file: CatalogueFile) -> None:
    catalogue = catalogue_file.loads_as(file_with(more=CONVERSATION))
    assert decode(encode(catalogue)) == catalogue


def test_nothing_is_remembered_unless_the_file_says_so(catalogue_file: CatalogueFile) -> None:
    assert not catalogue_file.loads_as(file_with()).conversation.memory.enabled


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            'devices: {"aa": {persona: kid}}',
            "conversation.devices.aa.persona: was 'kid'; expected a name under conversation.personas",
        ),
        (
            "personas: {kids: {nme: Bobo}}",
            "conversation.personas.kids.nme: unknown key; did you mean name?",
        ),
        (
            'personas: {"two words": {name: Bobo}}',
            "conversation.personas.two words: was 'two words'; expected a name of letters, digits, dots",
        ),
        (
            "voice: [a]",
            "conversation.voice: was a list; expected a voice, or a mapping from an instance or provider to",
        ),
        ("goodbye: bye", "conversation.goodbye: was 'bye'; expected a list of texts"),
        ("memory: {enabled: maybe}", "conversation.memory.enabled: was 'maybe'; expected true or false"),
        (
            "memory: {max_characters: 9}",
            "conversation.memory.max_characters: was 9; expected a whole number of 100 to 4000 characters",
        ),
    ],
)
def test_a_mistake_is_named(catalogue_file: CatalogueFile, line: str, words: str) -> None:
    (problem,) = catalogue_file.problems(file_with(more=f"conversation:\n  {line}"))
    assert problem.partition(": ")[2].startswith(words)


def test_an_unknown_persona_is_told_which_there_are(catalogue_file: CatalogueFile) -> None:
    more = 'conversation:\n  personas: {kids: {}, shop: {}}\n  devices: {"aa": {persona: kid}}'
    (problem,) = catalogue_file.problems(file_with(more=more))
    assert problem.endswith("was 'kid'; expected one of kids, shop")
