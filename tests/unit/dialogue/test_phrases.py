"""Digests of phrases: the same sound has the same one, another sound has another."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.audio import opus
from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.phrases import (
    NAMELESS_TTL_S,
    PHRASE_TTL_S,
    SPEECH_BITRATE,
    STAND_IN_TTL_S,
    SpokenPhrase,
    digest,
    digests,
    normal_text,
    ttl_s,
    usual_instances,
    with_persona,
)
from tests.unit.pipeline.fake_worker import instance_of

HELLO = SpokenPhrase(text="Hello there.", language="en")
EDGE = replace(instance_of("tts", "edge"), provider="edge_tts", voice="en-US-AriaNeural")


@pytest.mark.parametrize(
    "same",
    [
        replace(HELLO, text="  Hello \n there. "),
        replace(HELLO, is_fixed=True),
    ],
)
def test_another_writing_of_a_text_is_the_same_phrase(same: SpokenPhrase) -> None:
    assert digest(same, EDGE) == digest(HELLO, EDGE)


def test_composed_and_decomposed_letters_are_the_same_text() -> None:
    assert normal_text("caf\u0065\u0301") == normal_text("caf\u00e9")


@pytest.mark.parametrize(
    "other",
    [
        replace(HELLO, text="hello there."),
        replace(HELLO, text="Hello there!"),
        replace(HELLO, language="zh"),
        replace(HELLO, audio_format="pcm"),
    ],
)
def test_what_sounds_otherwise_is_another_phrase(other: SpokenPhrase) -> None:
    assert digest(other, EDGE) != digest(HELLO, EDGE)


@pytest.mark.parametrize(
    "changed",
    [
        replace(EDGE, voice="zh-CN-XiaoyiNeural"),
        replace(EDGE, model="another"),
        replace(EDGE, provider="openai_http"),
        replace(EDGE, normalize_text=True),
        replace(EDGE, extra_body={"speed": 1.2}),
        replace(EDGE, voice=None, endpoint="http://127.0.0.1:10"),
    ],
)
def test_a_changed_setting_of_the_voice_makes_all_phrases_new(changed: Instance) -> None:
    assert digest(HELLO, changed) != digest(HELLO, EDGE)


def test_instances_with_the_same_named_voice_share_their_phrases() -> None:
    second = replace(EDGE, name="edge-2", endpoint="http://127.0.0.1:10", weight=3.0, max_concurrent=1)
    assert digest(HELLO, second) == digest(HELLO, EDGE)


def test_servers_without_a_named_voice_share_none() -> None:
    one, two = replace(EDGE, voice=None), replace(EDGE, voice=None, endpoint="http://127.0.0.1:10")
    assert digest(HELLO, one) != digest(HELLO, two)


def test_the_voice_of_the_persona_counts() -> None:
    nova = with_persona(EDGE, {"*": "nova"})
    assert nova.voice == "nova"
    assert with_persona(EDGE, {}) is EDGE
    assert digests(HELLO, [EDGE], {"*": "nova"}) == (digest(HELLO, nova),) != digests(HELLO, [EDGE], {})


def test_who_comes_first_is_looked_up_first_and_each_voice_once() -> None:
    spare = replace(EDGE, name="spare", priority="standby", voice="other")
    same = replace(EDGE, name="edge-2")
    assert digests(HELLO, [spare, EDGE, same], {}) == (digest(HELLO, EDGE), digest(HELLO, spare))


def test_what_a_stand_in_or_a_nameless_voice_spoke_is_kept_for_less_long() -> None:
    spare = replace(EDGE, name="spare", priority="standby")
    assert ttl_s(EDGE, [spare, EDGE]) == PHRASE_TTL_S
    assert ttl_s(spare, [spare, EDGE]) == STAND_IN_TTL_S
    assert ttl_s(spare, [spare]) == PHRASE_TTL_S
    assert ttl_s(replace(EDGE, voice=None), [spare, EDGE]) == NAMELESS_TTL_S


def test_the_usual_instances_are_those_of_the_best_priority() -> None:
    spare, second = replace(EDGE, name="spare", priority="standby"), replace(EDGE, name="edge-2")
    assert usual_instances([spare, EDGE, second]) == [EDGE, second]
    assert usual_instances([spare]) == [spare]
    assert usual_instances([]) == []


def test_a_lone_surrogate_of_an_odd_model_has_a_digest() -> None:
    assert digest(replace(HELLO, text="\ud800"), EDGE)


def test_an_unequal_speaker_is_no_other_thing() -> None:
    assert digest(HELLO, EDGE) == digest(HELLO, replace(EDGE))


def test_the_encoders_settings_are_in_the_digest() -> None:
    assert SPEECH_BITRATE == opus.SPEECH_BITRATE
