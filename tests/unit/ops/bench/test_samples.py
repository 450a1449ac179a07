"""Samples of a bench and their statistics."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from dispatcher.device_simulator import TurnResult
from dispatcher.ops.bench.samples import Samples, TurnSample, merge
from tests.unit.ops.bench.bench_results import samples

HEARD = TurnResult(
    transcript="hello",
    emotion="",
    sentences=(),
    transcript_ms=200.0,
    first_audio_ms=800.0,
    end_ms=7000.0,
    gaps=1,
    gap_ms=80.0,
    late=2,
    dropped=3,
    refused=0,
    unplayed=0,
    frames=100,
    packets=(),
)


def test_samples_survive_the_way_between_processes() -> None:
    sent = samples(800.0, 900.0, lost=("no answer",), gaps=1)

    assert Samples.from_json(json.loads(json.dumps(asdict(sent)))) == sent


def test_merging_keeps_every_turn() -> None:
    merged = merge([samples(800.0), samples(900.0, lost=("gone",))])

    assert merged.values("first_audio_ms") == [800.0, 900.0]
    assert (merged.all_turns, merged.lost, merged.cpu_s) == (3, ("gone",), 1.0)


def test_a_gap_counts_once_for_its_turn() -> None:
    assert samples(1.0, 2.0, 3.0, 4.0, gaps=1).gap_ratio == 0.25


def test_a_heard_turn_becomes_a_sample() -> None:
    sample = TurnSample.of(HEARD)

    assert sample is not None
    assert (sample.first_audio_ms, sample.gaps, sample.late, sample.dropped, sample.frames) == (
        800,
        1,
        2,
        3,
        100,
    )


@pytest.mark.parametrize("missing", ["transcript_ms", "first_audio_ms"])
def test_a_turn_without_transcript_or_audio_was_not_answered(missing: str) -> None:
    fields = {name: getattr(HEARD, name) for name in HEARD.__slots__}

    assert TurnSample.of(TurnResult(**{**fields, missing: None})) is None
