"""The emoji at the beginning of a reply and the face it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.dialogue.emotion import EMOTION_EMOJI, EMOTIONS, Emotion, EmotionTaker, emotion_of


def taken(*chunks: str) -> tuple[list[Emotion], str]:
    """Return the emotions that were found and the whole text that was let through."""
    taker = EmotionTaker()
    results = [*(taker.feed(chunk) for chunk in chunks), taker.finish()]
    return [emotion for emotion, _ in results if emotion], "".join(text for _, text in results)


@pytest.mark.parametrize(
    ("reply", "emotion"),
    [
        ("😀 Hello!", "happy"),
        ("  😂Hello!", "funny"),
        ("❤️ Hello!", "loving"),
        ("❤️‍🔥 Hello!", "loving"),
        ("👍🏽 Hello!", "confident"),
        ("🤦🏼‍♀️ Hello!", "embarrassed"),
        ("😮‍💨 Hello!", "relaxed"),
        ("🙂‍↔️ Hello!", "confused"),
        ("😵‍💫Hello!", "confused"),
        ("😴 \n Hello!", "sleepy"),
    ],
)
def test_a_leading_emoji_is_taken_off_and_shown(reply: str, emotion: Emotion) -> None:
    assert taken(reply) == ([emotion], "Hello!")
    assert taken(*reply) == ([emotion], "Hello!")


@pytest.mark.parametrize("reply", ["🇨🇳 Hello!", "🪐 Hello!", "👨‍👩‍👧 Hello!", "🏴󠁧󠁢󠁥󠁮󠁧󠁿 Hello!", "🇨 Hello!"])
def test_an_emoji_that_is_no_face_is_neutral(reply: str) -> None:
    assert taken(reply) == (["neutral"], "Hello!")
    assert taken(*reply) == (["neutral"], "Hello!")


@pytest.mark.parametrize("reply", ["Hello! 😀", "你好！", "1️⃣ first", "# Title", "- item"])
def test_a_reply_without_a_leading_emoji_passes_unchanged(reply: str) -> None:
    assert taken(reply) == ([], reply)
    assert taken(*reply) == ([], reply)


def test_only_the_first_emoji_is_taken() -> None:
    assert taken("😭😀 Oh! 😀") == (["crying"], "😀 Oh! 😀")


def test_the_emotion_comes_with_the_first_text_behind_the_emoji() -> None:
    taker = EmotionTaker()
    assert taker.feed("😀") == (None, "")
    assert taker.feed(" ") == (None, "")
    assert taker.feed("Hel") == ("happy", "Hel")
    assert taker.feed("lo 😭") == (None, "lo 😭")
    assert taker.finish() == (None, "")


@pytest.mark.parametrize(
    ("reply", "emotions"), [("😀", ["happy"]), (" 😀 ", ["happy"]), ("", []), ("  ", [])]
)
def test_a_reply_without_words_has_no_text(reply: str, emotions: list[Emotion]) -> None:
    assert taken(reply) == (emotions, "")


@given(st.lists(st.sampled_from(["😀", "❤", "\ufe0f", "\u200d", "🏽", "🇨", "♀", " ", "a", "你"]), max_size=8))
def test_chunks_make_no_difference(parts: list[str]) -> None:
    assert taken(*parts) == taken("".join(parts))


def test_every_emotion_has_the_emoji_that_leads_back_to_it() -> None:
    assert set(EMOTION_EMOJI) == set(EMOTIONS)
    assert [emotion_of(EMOTION_EMOJI[emotion]) for emotion in EMOTIONS] == list(EMOTIONS)


@pytest.mark.parametrize(
    "faces",
    [range(0x1F600, 0x1F645), range(0x1F910, 0x1F918), range(0x1F920, 0x1F930), range(0x1FAE0, 0x1FAEA)],
)
def test_every_face_of_unicode_has_an_emotion_that_a_device_knows(faces: range) -> None:
    assert {emotion_of(chr(face)) for face in faces} <= set(EMOTIONS)
    plain = [chr(face) for face in faces if emotion_of(chr(face)) == "neutral"]
    assert set(plain) <= {"😐", "😑", "😶", "🤖", "🫥", "🫧"}
