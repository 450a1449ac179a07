from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from dispatcher.audio.pcm import to_float32
from dispatcher.bundled.engines import Language
from dispatcher.bundled.request_errors import RequestError
from dispatcher.bundled.voices.engine import VoicesEngine
from dispatcher.bundled.voices.loudness import finished, gain_for
from tests.unit.bundled.instances import Tone
from tests.unit.bundled.voices.tone_voices import CHINESE_HZ, ENGLISH_HZ, voices_engine


async def speech(
    engine: VoicesEngine, text: str, *, language: Language = "auto", speed: float = 1.0
) -> list[NDArray[np.float32]]:
    """Return the speech cut at its pauses of 0.1 s and more, each part with the silence after it."""
    chunks = [to_float32(pcm) async for pcm in engine.speak(text, language=language, speed=speed)]
    samples = np.concatenate(chunks)
    loud = np.flatnonzero(np.abs(samples) > 0.005)
    starts = [int(after) - 200 for before, after in pairwise(loud) if after - before > 0.1 * 24_000]
    return np.split(samples, starts)


def whole(chunks: list[NDArray[np.float32]], gain: float) -> NDArray[np.float32]:
    return np.concatenate([np.zeros(0, np.float32), *finished(chunks, gain)])


def pitch_hz(samples: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.argmax(spectrum) * 24_000 / len(samples))


def level(samples: NDArray[np.float32]) -> float:
    loud = samples[np.abs(samples) > 0.005]
    return float(np.sqrt(np.mean(loud**2)))


async def test_each_script_is_spoken_by_its_voice_in_the_order_of_the_text() -> None:
    pieces = await speech(voices_engine(), "Hello there. 你好，小智。 Good bye.")
    assert [round(pitch_hz(piece), -1) for piece in pieces] == [ENGLISH_HZ, CHINESE_HZ, ENGLISH_HZ]


async def test_both_voices_are_equally_loud() -> None:
    english, chinese = await speech(voices_engine(), "Hello there. 你好小智。")
    assert level(english) == pytest.approx(level(chinese), rel=0.05)


async def test_pieces_begin_and_end_at_zero_so_that_joins_do_not_click() -> None:
    for piece in await speech(voices_engine(), "Hello there. 你好小智。"):
        assert abs(piece[0]) < 0.001
        assert abs(piece[-1]) < 0.001
        assert np.abs(np.diff(piece)).max() < 0.1


async def test_silence_at_the_start_is_cut_so_that_audio_is_heard_at_once() -> None:
    (piece,) = await speech(voices_engine(), "Hello.")
    assert np.flatnonzero(np.abs(piece) > 0.01)[0] < 0.02 * 24_000
    assert len(piece) < (0.6 + 0.25) * 24_000


async def test_speed_reaches_the_voice() -> None:
    voice = Tone(ENGLISH_HZ, level=0.1)
    await speech(VoicesEngine({"en": voice}), "Hello.", speed=1.5)
    assert voice.said[-1] == ("Hello.", 1.5)


@pytest.mark.parametrize(
    ("language", "pitch"), [("zh", CHINESE_HZ), ("en", ENGLISH_HZ), ("auto", ENGLISH_HZ)]
)
async def test_a_text_of_digits_is_read_in_the_language_asked_for(language: Language, pitch: float) -> None:
    (piece,) = await speech(voices_engine(), "3:45", language=language)
    assert pitch_hz(piece) == pytest.approx(pitch, rel=0.05)


async def test_without_the_chinese_voice_only_latin_is_spoken() -> None:
    pieces = await speech(voices_engine(chinese=False), "Hello. 你好。 Bye.", language="zh")
    assert [round(pitch_hz(piece), -1) for piece in pieces] == [ENGLISH_HZ, ENGLISH_HZ]


async def test_without_the_chinese_voice_a_chinese_text_is_refused() -> None:
    with pytest.raises(RequestError, match="expected words or numbers in Latin script"):
        await speech(voices_engine(chinese=False), "你好。")


def test_a_long_chinese_sentence_is_cut_at_its_commas() -> None:
    text = "今天天气很好，" * 8 + "我们去公园。"
    pieces = voices_engine().pieces(text, "auto")
    assert len(pieces) == 9
    assert "".join(piece.text for piece in pieces) == text


def test_a_piece_that_would_be_clipped_is_made_quieter() -> None:
    spiky = np.zeros(24_000, np.float32)
    spiky[1000:1010] = 0.9
    loudest = np.abs(whole([spiky], gain=5.0)).max()
    assert 0.9 < loudest < 1.0


@pytest.mark.parametrize(
    "samples", [np.zeros(0, np.float32), np.zeros(500, np.float32), np.full(500, 1e-6, np.float32)]
)
def test_silence_is_left_out(samples: NDArray[np.float32]) -> None:
    assert not whole([samples], gain=1.0).size


def test_a_silent_sample_leaves_the_voice_as_it_is() -> None:
    assert gain_for([np.zeros(1000, np.float32)]) == pytest.approx(1.0)


def test_speech_in_chunks_is_that_of_the_whole() -> None:
    voice = Tone(ENGLISH_HZ, level=0.1)
    chunks = list(voice.say("hello there", 1.0))
    assert len(chunks) > 3
    assert np.array_equal(whole(chunks, 2.0), whole([np.concatenate(chunks)], 2.0))


async def test_an_english_word_in_a_chinese_phrase_follows_without_a_pause() -> None:
    (joined,) = await speech(voices_engine(), "我用iPhone打电话")
    assert len(joined) / 24_000 == pytest.approx(0.1 * len("我用iPhone打电话"), abs=0.45)
    assert len(await speech(voices_engine(), "我用。 iPhone. 打电话")) == 3


def test_a_long_clause_without_marks_is_cut_too() -> None:
    chinese = voices_engine().pieces("今天天气很好我们去公园" * 12, "zh")
    english = voices_engine().pieces("and then we went on " * 30, "en")
    assert max(len(piece.text) for piece in chinese) <= 40
    assert max(len(piece.text) for piece in english) <= 160
    assert all(
        piece.text[0].isalpha() and piece.text.split()[-1] in "and then we went on" for piece in english
    )
