"""False cut-offs and waits of strategies, on made-up turns and on recordings of a bundled voice."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from dispatcher.dialogue.endpointing import EndpointRules
from dispatcher.errors import ConfigError
from dispatcher.ops.bench.endpointing_bench import (
    STRATEGIES,
    EndpointingResult,
    SentenceJudge,
    endpointing,
    goal,
    run_strategy,
)
from dispatcher.ops.bench.spoken_turns import Place, SpokenTurn, find_folders, spoken_turns
from tests.support.smart_turn import MODEL
from tests.unit.audio.speech import say

SMART = STRATEGIES["smart_turn"]


def turn(pause: int, *, name: str = "a") -> SpokenTurn:
    """Return ten windows of speech, a pause of so many, ten of speech, and silence."""
    probabilities = (0.9,) * 10 + (0.0,) * pause + (0.9,) * 10 + (0.0,) * 60
    place: Place = "middle" if pause else "as it is"
    return SpokenTurn(
        recording=name,
        place=place,
        sound=bytes(2 * 512 * len(probabilities)),
        probabilities=probabilities,
        end_window=20 + pause,
    )


def judging(*, finished_at_end: float, finished_before: float = 0.1) -> SentenceJudge:
    """Return a judge that knows the turn by its length."""
    return SentenceJudge(lambda pcm, _: finished_at_end if len(pcm) >= 2 * 512 * 23 else finished_before)


def test_silence_cuts_off_where_a_pause_is_longer_and_waits_as_long_after_each_end() -> None:
    result = run_strategy(EndpointRules(silence_ms=320), [turn(0), turn(15)], judging(finished_at_end=1.0))
    assert (result.cut_off, result.cut_off_at) == (0.5, {"as it is": 0.0, "middle": 1.0})
    assert result.waits_ms == (320, 320)


def test_a_judge_who_is_right_neither_cuts_off_nor_waits() -> None:
    judge = judging(finished_at_end=0.9)
    result = run_strategy(SMART, [turn(0), turn(30)], judge)
    assert result.cut_off == 0
    assert result.waits_ms == (192, 192)
    assert judge.judged == 3


def test_a_judge_who_is_wrong_about_the_end_waits_for_the_longest_silence() -> None:
    result = run_strategy(SMART, [turn(0)], judging(finished_at_end=0.1))
    assert result.waits_ms == (1504,)


def result(cut_off: float, wait_ms: float) -> EndpointingResult:
    return EndpointingResult(cut_off=cut_off, cut_off_at={}, waits_ms=(wait_ms,))


@pytest.mark.parametrize(
    ("smart", "reached"),
    [(result(0.2, 500), True), (result(0.4, 300), True), (result(0.4, 600), False)],
)
def test_the_goal_is_half_the_cut_offs_at_the_same_wait_or_an_early_end_at_the_same_cut_offs(
    smart: EndpointingResult, *, reached: bool
) -> None:
    silences = {"silence 300 ms": result(0.8, 300), "silence 700 ms": result(0.4, 700)}
    text, is_reached = goal({**silences, "smart_turn": smart})
    assert is_reached is reached
    assert ("not reached" in text) is not reached


def test_recordings_that_are_missing_are_asked_for_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="apt-get install pocketsphinx-testdata"):
        list(spoken_turns([tmp_path]))
    assert find_folders(None)[0] == Path("/usr/share/pocketsphinx/test/data")


def test_the_bench_prints_each_strategy_and_the_goal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMART_TURN_MODEL", str(MODEL))
    (tmp_path / "goforward.raw").write_bytes(say("Go forward ten meters, and stop there at the door."))
    done = CliRunner().invoke(endpointing, ["--recordings", str(tmp_path)], catch_exceptions=False)
    assert done.exit_code in (0, 1)
    assert "7 turns of 1 recordings" in done.output
    assert all(name.split(",")[0] in done.output for name in STRATEGIES)
    assert "goal" in done.output
