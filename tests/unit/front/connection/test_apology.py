"""An apology is in the language of whoever hears it, as far as that can be known."""

from __future__ import annotations

import pytest

from dispatcher.dialogue.apology_texts import APOLOGIES
from dispatcher.front.connection import apology
from dispatcher.front.connection.apology import Apologies, Kind
from dispatcher.messages import AudioFormat, Language, TurnTicket


@pytest.fixture(scope="module")
def encoded() -> Apologies:
    return Apologies()


@pytest.fixture
def apologies(encoded: Apologies) -> Apologies:
    """Phrases of a front that has heard nobody yet."""
    encoded._spoken.clear()
    return encoded


def ticket(
    language: Language = "auto", *, device: str = "kitchen", audio: AudioFormat = "opus"
) -> TurnTicket:
    return TurnTicket(
        turn_id="t",
        attempt=1,
        device_id=device,
        reply_stream="r",
        deadline_at_s=0.0,
        language=language,
        audio_format=audio,
    )


def phrase(
    apologies: Apologies, of: TurnTicket, *, said: str, kind: Kind = "sorry"
) -> tuple[str, list[bytes]]:
    """Return what a turn is apologised for with."""
    return apologies.recorded(kind, apologies.language(of, said=said), of.audio_format)


@pytest.mark.parametrize(
    ("language", "said", "before", "heard"),
    [
        ("zh", "what time is it?", "and now?", "zh"),
        ("en", "几点了？", "然后呢？", "en"),
        ("auto", "几点了？", "and now?", "zh"),
        ("auto", "what time is it?", "然后呢？", "en"),
        ("auto", "", "然后呢？", "zh"),
        ("auto", "12:30?", "然后呢？", "zh"),
        ("auto", "", "", "en"),
        ("auto", "1+1=?", "2+2=?", "en"),
    ],
)
def test_the_language_is_that_of_the_device_of_the_turn_or_of_the_turn_before(
    apologies: Apologies, language: Language, said: str, before: str, heard: Language
) -> None:
    apologies.note_language("kitchen", before)

    text, packets = phrase(apologies, ticket(language), said=said)

    assert text == APOLOGIES["sorry", heard]
    assert len(packets) > 10


def test_what_tells_no_language_leaves_the_last_one_known(apologies: Apologies) -> None:
    apologies.note_language("kitchen", "几点了？")
    apologies.note_language("kitchen", "12:30?")

    assert phrase(apologies, ticket(), said="")[0] == APOLOGIES["sorry", "zh"]


def test_a_device_says_nothing_of_another_ones_language(apologies: Apologies) -> None:
    apologies.note_language("kitchen", "几点了？")

    assert phrase(apologies, ticket(device="hall"), said="")[0] == APOLOGIES["sorry", "en"]


def test_who_was_silent_for_longest_is_forgotten_first(
    apologies: Apologies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apology, "MAX_DEVICES", 2)
    for device in ("kitchen", "hall", "kitchen", "shop"):
        apologies.note_language(device, "几点了？")

    spoken = [phrase(apologies, ticket(device=each), said="")[0] for each in ("kitchen", "hall", "shop")]

    assert spoken == [APOLOGIES["sorry", "zh"], APOLOGIES["sorry", "en"], APOLOGIES["sorry", "zh"]]


@pytest.mark.parametrize(("kind", "language"), APOLOGIES)
def test_every_phrase_is_there_in_both_formats(apologies: Apologies, kind: Kind, language: Language) -> None:
    _, opus = phrase(apologies, ticket(language), said="", kind=kind)
    text, pcm = phrase(apologies, ticket(language, audio="pcm"), said="", kind=kind)

    assert text == APOLOGIES[kind, language]
    assert abs(len(opus) - len(pcm)) <= 1
    assert {len(packet) for packet in pcm} == {24 * 60 * 2}
