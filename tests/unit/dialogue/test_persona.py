"""Who the assistant is: the device's own rule over its persona over the default."""

from __future__ import annotations

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.fields import EVERYWHERE
from dispatcher.catalogue.model import Instance
from dispatcher.catalogue.personas import DeviceRule, Persona
from dispatcher.dialogue.goodbye import GOODBYES
from dispatcher.dialogue.persona import character, voice_at, voices_of
from dispatcher.messages import TurnTicket

KIDS = Persona(name="Bobo", system_prompt="Be {name}, be gay.", language="en", voices={EVERYWHERE: "nova"})
RULES = Conversation(
    language="zh",
    name="Xiaozhi",
    system_prompt="Be kind.",
    wake_words=("hi",),
    greeting="Yes?",
    personas={"kids": KIDS, "shop": Persona(wake_words=("hello shop",), greeting="")},
    devices={"mine": DeviceRule(persona="kids", name="Momo", goodbyes=("so long",))},
)


def test_a_device_without_a_rule_gets_the_default() -> None:
    who = character(RULES, "other")
    assert (who.name, who.wake_words, who.greeting, who.goodbyes) == ("Xiaozhi", ("hi",), "Yes?", GOODBYES)
    assert who.system_prompt == "Be kind.\nYour name is Xiaozhi. 你的名字是Xiaozhi。"
    assert (who.language, who.voices) == (None, {})


def test_the_rule_of_a_device_wins_over_its_persona_and_that_over_the_default() -> None:
    who = character(RULES, "mine")
    assert (who.name, who.system_prompt, who.goodbyes) == ("Momo", "Be Momo, be gay.", ("so long",))
    assert (who.language, who.voices, who.greeting) == ("en", {EVERYWHERE: "nova"}, "Yes?")


def test_a_persona_chosen_at_run_time_takes_the_place_of_the_one_in_the_yaml() -> None:
    who = character(RULES, "mine", chosen="shop")
    assert (who.name, who.language, who.wake_words, who.greeting) == ("Momo", None, ("hello shop",), "")


def test_a_chosen_persona_that_is_gone_leaves_the_one_in_the_yaml() -> None:
    assert character(RULES, "mine", chosen="gone") == character(RULES, "mine")


def test_without_any_words_there_is_no_prompt() -> None:
    assert character(Conversation(), "x").system_prompt == ""


def test_a_voice_is_found_by_instance_then_provider_then_for_all() -> None:
    voices = {"loud": "a", "openai_http": "b", EVERYWHERE: "c"}
    loud = Instance(service="tts", name="loud", endpoint="http://x")
    other = Instance(service="tts", name="other", endpoint="http://x")
    third = Instance(service="tts", name="third", endpoint="http://x", provider="xfyun")
    assert [voice_at(voices, each) for each in (loud, other, third)] == ["a", "b", "c"]
    assert voice_at({"loud": "a"}, other) is None


def test_the_voices_of_a_turn_are_those_of_the_persona_that_its_ticket_names() -> None:
    ticket = TurnTicket(
        turn_id="a" * 32,
        attempt=1,
        device_id="other",
        reply_stream="replies",
        deadline_at_s=1e9,
        persona="kids",
    )
    assert voices_of(RULES, ticket) == {EVERYWHERE: "nova"}
