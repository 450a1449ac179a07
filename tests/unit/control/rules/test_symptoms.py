from __future__ import annotations

from dataclasses import replace

import pytest

from dispatcher.control.rules.evidence import CAUSES, Cause, Measures, Sample, median_of
from dispatcher.control.rules.symptoms import (
    HISTORY_SAMPLES,
    LIMITS,
    TunerTiming,
    has_cleared,
    limit,
    sample_of,
    sustained,
    with_sample,
)
from tests.unit.control.rules.tuner_ticks import WELL, evidence, samples

HOT = replace(WELL, cpu=0.95)


@pytest.mark.parametrize("cause", CAUSES)
def test_each_rule_has_the_limit_of_the_requirement(cause: Cause) -> None:
    assert limit(cause) == {"errors": 0.05, "memory": 0.9, "response": 1000, "cpu": 0.85}[cause]
    assert limit(cause) == LIMITS.of(cause)


def test_one_spike_is_no_cause() -> None:
    assert sustained(samples(WELL, WELL, HOT), since_s=0) == ()


def test_what_holds_over_three_samples_is_a_cause_even_with_one_outlier() -> None:
    assert sustained(samples(HOT, WELL, HOT), since_s=0) == ("cpu",)
    assert sustained(samples(HOT, HOT, WELL), since_s=0) == ()


def test_two_samples_are_not_enough_and_those_from_before_a_change_do_not_count() -> None:
    assert sustained(samples(HOT, HOT), since_s=0) == ()
    assert sustained(samples(HOT, HOT, HOT, HOT), since_s=60) == ("cpu",)
    assert sustained(samples(HOT, HOT, HOT, HOT), since_s=120) == ()


def test_the_gravest_cause_comes_first() -> None:
    bad = Measures(errors=0.06, memory=0.95, response=5000.0, cpu=0.9)
    assert sustained(samples(bad, bad, bad), since_s=0) == ("response", "errors", "cpu", "memory")


def test_ratios_that_rest_on_few_calls_are_unknown() -> None:
    few = sample_of(evidence(Measures(errors=0.5, memory=0.5, response=3000.0, cpu=0.5), calls=4))
    assert few.measures == Measures(memory=0.5, cpu=0.5)
    assert sample_of(evidence(calls=5)).measures == WELL


def test_the_history_is_bounded() -> None:
    history: tuple[Sample, ...] = ()
    for at in range(HISTORY_SAMPLES + 5):
        history = with_sample(history, Sample(at_s=at, measures=WELL))
    assert (len(history), history[0].at_s) == (100, 5)


def test_a_cause_has_cleared_a_tenth_below_its_limit() -> None:
    assert not has_cleared(Sample(at_s=0, measures=replace(WELL, cpu=0.8)), "cpu")
    assert has_cleared(Sample(at_s=0, measures=replace(WELL, cpu=0.76)), "cpu")


def test_without_calls_errors_are_gone_and_without_a_reading_cpu_is_not() -> None:
    unknown = Sample(at_s=0, measures=Measures())
    assert [has_cleared(unknown, cause) for cause in CAUSES] == [True, False, True, False]


def test_the_median_of_of_samples_leaves_out_what_is_unknown() -> None:
    assert median_of(samples(HOT, Measures(cpu=0.75), WELL)) == replace(WELL, cpu=0.75)


def test_the_tempo_scales_as_a_whole() -> None:
    assert TunerTiming().scaled(0.1) == TunerTiming(
        history_s=30, trial_s=12, clear_s=30, cool_down_s=90, fruitless_s=720, overruled_s=8640
    )
