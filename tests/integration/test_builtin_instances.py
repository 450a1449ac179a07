"""The built-in instances with their real engines, used through the vendor's own client."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from difflib import SequenceMatcher
from pathlib import Path

import openai
import pytest
from openai.types.audio import TranscriptionVerbose

from dispatcher.audio.pcm import level_dbfs
from dispatcher.audio.wav import wav_bytes
from dispatcher.bundled.assistant.small_talk import STORIES
from dispatcher.bundled.engines import SpokenLanguage
from dispatcher.ops.bench.everyday_sentences import SENTENCES
from dispatcher.ops.bench.transcript_errors import ComparedSentence, error_ratio
from dispatcher.ops.bench.voice_bench import MAX_ERROR_RATIO
from dispatcher.recordings import recording
from tests.integration.instance_process import InstanceProcess, instance
from tests.support.waiting import eventually
from tests.unit.bundled.sensevoice.sense_voice_files import EXPORT, needs_library

SPEECH_RATE_HZ = 24_000
QUESTION = "What time is it?"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def asr(data_dir: Path) -> Iterator[InstanceProcess]:
    """Two instances on one empty data folder: both want to join the weights. The second one is used."""
    with instance(data_dir, "asr") as first, instance(data_dir, "asr", "--set", "queue=0") as second:
        first.wait_until_ready()
        second.wait_until_ready()
        assert first.stop() == 0
        yield second


@pytest.fixture(scope="module")
def tts(data_dir: Path) -> Iterator[InstanceProcess]:
    with instance(data_dir, "tts") as process:
        process.wait_until_ready()
        yield process


@pytest.fixture(scope="module")
def llm(data_dir: Path) -> Iterator[InstanceProcess]:
    with instance(data_dir, "llm") as process:
        process.wait_until_ready()
        yield process


def speak(tts: InstanceProcess, text: str) -> bytes:
    """Return the text as PCM at `SPEECH_RATE_HZ`."""
    return tts.client.audio.speech.create(
        model="tts-1", voice="alloy", input=text, response_format="pcm"
    ).read()


def transcribe(asr: InstanceProcess, pcm: bytes, language: str | None = None) -> TranscriptionVerbose:
    """Return the words in PCM as they are written, and their language."""
    return asr.client.audio.transcriptions.create(
        model="whisper-1",
        file=("utterance.wav", wav_bytes(pcm, SPEECH_RATE_HZ)),
        response_format="verbose_json",
        language=language or openai.omit,
    )


def hear(asr: InstanceProcess, pcm: bytes, language: str | None = None) -> tuple[str, str]:
    """Return the words in PCM, in lower case without marks, and their language."""
    heard = transcribe(asr, pcm, language)
    return re.sub(r"[^\w ]", "", heard.text.lower()), heard.language


def test_what_the_tts_instance_says_the_asr_instance_hears(
    asr: InstanceProcess, tts: InstanceProcess
) -> None:
    assert hear(asr, speak(tts, f"🙂 **{QUESTION}**"), "en") == ("what time is it", "en")


def test_the_language_is_found_out_when_it_is_not_told(asr: InstanceProcess, tts: InstanceProcess) -> None:
    assert hear(asr, speak(tts, QUESTION)) == ("what time is it", "en")
    assert hear(asr, speak(tts, "现在是下午三点二十五分。"))[1] == "zh"


@pytest.mark.parametrize(("language", "step"), [("zh", 5), ("en", 10)])
def test_everyday_sentences_are_understood(
    asr: InstanceProcess, tts: InstanceProcess, language: SpokenLanguage, step: int
) -> None:
    heard = [
        ComparedSentence.of(sentence, transcribe(asr, speak(tts, sentence), language).text, language)
        for sentence in SENTENCES[language][::step]
    ]
    assert error_ratio(heard) <= MAX_ERROR_RATIO[language], [each for each in heard if each.errors]


def test_the_operator_chooses_sensevoice_by_its_folder(data_dir: Path) -> None:
    needs_library()
    with instance(data_dir, "asr", environ={"ASR_MODEL": f"{EXPORT},whisper"}) as process:
        process.wait_until_ready()
        assert process.health()["engine"] == "sensevoice"
        heard = process.client.audio.transcriptions.create(
            model="any", file=("hello.wav", recording("hello.wav"))
        )
        assert process.stop() == 0
    assert set(heard.text) == {"好"}


def test_silence_holds_no_words(asr: InstanceProcess) -> None:
    assert hear(asr, bytes(2 * 2 * SPEECH_RATE_HZ), "en")[0] == ""


def test_a_minute_of_speech_is_heard_to_its_end(asr: InstanceProcess, tts: InstanceProcess) -> None:
    story = " ".join(STORIES)
    pcm = speak(tts, story)
    assert len(pcm) / 2 / SPEECH_RATE_HZ > 2 * 28, "more than two of Whisper's windows"
    text, _ = hear(asr, pcm, "en")
    spoken = re.sub(r"[^\w ]", "", story.lower()).split()
    assert SequenceMatcher(None, spoken, text.split()).ratio() > 0.9


def test_a_reply_in_two_languages_is_spoken_by_two_equally_loud_voices(tts: InstanceProcess) -> None:
    english = speak(tts, "It is three in the afternoon, and the weather is fine.")
    chinese = speak(tts, "现在是下午三点，今天天气很好。")
    both = speak(tts, "It is three in the afternoon, and the weather is fine. 现在是下午三点，今天天气很好。")
    assert both.startswith(english)
    assert len(both) == pytest.approx(len(english) + len(chinese), rel=0.02)
    assert level_dbfs(english) == pytest.approx(level_dbfs(chinese), abs=1.5)


def test_wrong_requests_are_told_what_is_wrong(
    asr: InstanceProcess, tts: InstanceProcess, llm: InstanceProcess
) -> None:
    with pytest.raises(openai.BadRequestError, match=r"input was .*expected words or numbers"):
        speak(tts, "🙂")
    with pytest.raises(openai.BadRequestError, match="file: audio starts with"):
        asr.client.audio.transcriptions.create(model="x", file=("x.wav", b"no audio at all"))
    with pytest.raises(openai.BadRequestError, match=r"messages was .*expected at least 1"):
        llm.client.chat.completions.create(model="x", messages=[])


def test_the_assistant_streams_an_answer(llm: InstanceProcess) -> None:
    stream = llm.client.chat.completions.create(
        model="any", messages=[{"role": "user", "content": "What is twelve times seven?"}], stream=True
    )
    tokens = [chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content]
    assert "".join(tokens) == "🙂 12 times 7 is 84."
    assert len(tokens) > 3


def test_a_caller_that_goes_away_frees_its_place(data_dir: Path) -> None:
    with instance(data_dir, "llm", "--engine", "timed", "--fault", "stall-after=1") as llm:
        llm.wait_until_ready()
        stream = llm.client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "x"}], stream=True
        )
        next(iter(stream))
        assert llm.health()["in_flight"] == 1
        stream.close()
        eventually(lambda: llm.health()["in_flight"] == 0, what="the call has ended")


def test_a_stop_does_not_wait_for_a_call_that_never_ends(data_dir: Path) -> None:
    with instance(data_dir, "llm", "--engine", "timed", "--fault", "stall-after=1") as llm:
        llm.wait_until_ready()
        stream = llm.client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "x"}], stream=True
        )
        next(iter(stream))
        started_s = time.monotonic()
        assert llm.stop() == 0
        assert time.monotonic() - started_s < 10
    assert "Traceback" not in llm.said()


def test_a_stop_while_loading_is_a_stop(data_dir: Path) -> None:
    with instance(data_dir, "tts") as tts:
        eventually(lambda: tts.health().get("status") == "loading", what="the port is open")
        assert tts.stop() == 0


def test_what_keeps_an_instance_from_starting_is_one_line(data_dir: Path) -> None:
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        cases = {
            f"llm instance: 127.0.0.1:{port} is taken": ("llm", "--port", port),
            "WHISPER_DIR=missing: config.json": ("asr", "--set", "whisper_dir=missing"),
            "ASR_MODEL: in missing expected model.int8.onnx": (
                *("asr", "--engine", "sensevoice", "--set", "model_dir=missing"),
            ),
            "--set chinese=perhaps: expected on or off": ("tts", "--set", "chinese=perhaps"),
        }
        for line, (service, *options) in cases.items():
            process = stack.enter_context(instance(data_dir, service, *options))  # type: ignore[arg-type]
            assert process.process.wait(40) != 0
            assert len(process.said().splitlines()) == 1, process.said()
            assert process.said().startswith(line)
