"""Pauses of many devices, judged one after the other in a thread."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
import structlog

from dispatcher.errors import AudioError
from dispatcher.front.connection.pause_judge import MODEL_RETRY_AFTER_S, Pause, PauseJudge
from dispatcher.host_metrics.host import HostMeter
from tests.support.smart_turn import LONG, MODEL, SHORT
from tests.support.waiting import until
from tests.unit.front.fakes import IdleMeter


@dataclass
class HeldModel:
    """Judges once it may; the sound is what it says."""

    may: threading.Event = field(default_factory=threading.Event)
    judged: list[bytes] = field(default_factory=list)

    def finished(self, pcm: bytes, rate_hz: int) -> float:
        assert rate_hz == 16_000
        self.may.wait(10)
        self.judged.append(pcm)
        return float(pcm)


async def judge_of(model: HeldModel, meter: IdleMeter | None = None) -> PauseJudge:
    judge = PauseJudge(lambda: model, cast("HostMeter", meter or IdleMeter()))
    judge.load()
    await until(lambda: judge.is_loaded, "the model is loaded")
    return judge


def pause(pcm: bytes, said: list[float], *, silence_s: float = 0.5, goes_on: bool = True) -> Pause:
    return Pause(pcm=pcm, rate_hz=16_000, silence_s=silence_s, goes_on=lambda: goes_on, on_judged=said.append)


async def test_pauses_are_judged_one_after_the_other() -> None:
    model, said = HeldModel(), list[float]()
    judge = await judge_of(model)
    for each in (b"0.1", b"0.9"):
        judge.judge(pause(each, said))
    await asyncio.sleep(0)
    assert said == []
    model.may.set()
    await until(lambda: said == [0.1, 0.9], "both are judged")
    judge.close()


async def test_a_pause_that_is_over_by_its_turn_is_not_judged() -> None:
    model, said = HeldModel(), list[float]()
    judge = await judge_of(model)
    judge.judge(pause(b"0.1", said))
    judge.judge(pause(b"0.2", said, goes_on=False))
    judge.judge(pause(b"0.3", said))
    model.may.set()
    await until(lambda: said == [0.1, 0.3], "what goes on is judged")
    assert model.judged == [b"0.1", b"0.3"]
    judge.close()


async def test_a_judgement_that_would_come_after_the_silence_is_not_begun() -> None:
    model, said = HeldModel(), list[float]()
    judge = await judge_of(model)
    for _ in range(20):
        judge.judge(pause(b"0.5", said, silence_s=0.2))
    model.may.set()
    await until(lambda: said, "the first are judged")
    judge.judge(pause(b"0.7", said, silence_s=1000.0))
    await until(lambda: said[-1] == 0.7, "later pauses are judged again")
    assert 1 < len(said) < 6
    judge.close()


async def test_a_host_without_room_judges_no_pause() -> None:
    model, said, meter = HeldModel(), list[float](), IdleMeter(cpu_ratio=0.97)
    model.may.set()
    judge = await judge_of(model, meter)
    judge.judge(pause(b"0.1", said))
    await until(lambda: judge.waiting == 0, "its turn has come")
    meter.cpu_ratio = 0.3
    judge.judge(pause(b"0.2", said))
    await until(lambda: said == [0.2], "the later one is judged")
    judge.close()


async def test_without_a_model_endpointing_goes_by_silence_and_one_line_says_so() -> None:
    def missing() -> HeldModel:
        raise AudioError("no model here")

    said = list[float]()
    judge = PauseJudge(missing, cast("HostMeter", IdleMeter()))
    with structlog.testing.capture_logs() as lines:
        judge.load()
        judge.load()
        await until(lambda: lines, "it is logged")
    judge.judge(pause(b"0.1", said))
    assert (judge.waiting, said) == (0, [])
    assert [line["reason"] for line in lines] == ["no model here"]
    judge.close()


async def test_a_model_that_was_missing_is_looked_for_again_some_minutes_later() -> None:
    tries, now_s = list[float](), [1000.0]

    def from_the_hub() -> HeldModel:
        tries.append(now_s[0])
        if len(tries) < 2:
            raise AudioError("no network")
        return HeldModel()

    judge = PauseJudge(from_the_hub, cast("HostMeter", IdleMeter()), now=lambda: now_s[0])
    with structlog.testing.capture_logs() as lines:
        judge.load()
        await until(lambda: lines, "it is logged")
    for later_s in (MODEL_RETRY_AFTER_S - 1, MODEL_RETRY_AFTER_S):
        now_s[0] = 1000.0 + later_s
        judge.load()
        judge.load()
    await until(lambda: judge.is_loaded, "the model is loaded")
    judge.load()
    assert tries == [1000.0, 1000.0 + MODEL_RETRY_AFTER_S]
    judge.close()


async def test_the_real_way_to_the_model_is_by_its_file(tmp_path: Path) -> None:
    meter, said = cast("HostMeter", IdleMeter()), list[float]()
    judge = PauseJudge.of(MODEL, data_dir=tmp_path, meter=meter)
    judge.load()
    await until(lambda: judge.is_loaded, "the model is loaded")
    for sound in (LONG, SHORT):
        judge.judge(pause(sound, said, silence_s=1000.0))
    await until(lambda: len(said) == 2, "both are judged")
    assert said == [pytest.approx(1.0, abs=0.1), pytest.approx(0.0, abs=0.1)]
    judge.close()
