"""Order, moments and length of the faults of a run."""

from __future__ import annotations

from itertools import islice

import pytest

from dispatcher.ops.chaos.aftermath import Aftermath
from dispatcher.ops.chaos.chaos_plan import LONGEST_PAUSE_S, SHORTEST_FAULT_S, VerifyPlan, parse_names
from dispatcher.ops.chaos.faults import DEFAULT_FAULTS, FAULTS
from dispatcher.ops.chaos.turn_outcomes import Presence

NAMES = ("kill", "slow", "worker")


def test_without_a_seed_each_fault_comes_once_in_its_order() -> None:
    plan = VerifyPlan(names=NAMES, fault_s=9.0)
    assert [(each.name, each.pause_s, each.lasts_s) for each in plan.schedule()] == [
        (name, 0.0, 9.0) for name in NAMES
    ]


def test_a_seed_draws_whole_decks_of_faults_that_do_not_end() -> None:
    plan = VerifyPlan(names=NAMES, fault_s=9.0, seed=4)
    drawn = list(islice(plan.schedule(), 30))
    for at in range(0, 30, 3):
        assert {each.name for each in drawn[at : at + 3]} == set(NAMES)
    assert all(SHORTEST_FAULT_S <= each.lasts_s <= 9.0 for each in drawn)
    assert all(0 <= each.pause_s <= LONGEST_PAUSE_S for each in drawn)
    assert len({each.lasts_s for each in drawn}) == 30


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    def drawn(seed: int) -> list[tuple[str, float]]:
        return [(each.name, each.lasts_s) for each in islice(VerifyPlan(seed=seed).schedule(), 20)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_a_plan_ends_after_so_many_faults() -> None:
    drawn = list(VerifyPlan(names=NAMES, seed=4, most_faults=4).schedule())
    assert drawn == list(islice(VerifyPlan(names=NAMES, seed=4).schedule(), 4))


def test_a_plan_without_faults_ends() -> None:
    assert list(VerifyPlan(names=(), seed=1).schedule()) == []


def test_every_fault_can_be_named_and_an_empty_text_is_the_default_ones() -> None:
    assert parse_names("") == DEFAULT_FAULTS
    assert parse_names("empty-redis, kill") == ["kill", "empty-redis"]
    assert set(DEFAULT_FAULTS) < set(FAULTS)
    with pytest.raises(ValueError, match="flood: no such fault; expected some of kill"):
        parse_names("kill,flood")


def test_what_never_went_away_is_not_back() -> None:
    assert Presence().seen(is_whole=True, after_s=1.0) == Presence()


def test_what_went_away_is_back_when_all_is_whole_for_the_first_time_since() -> None:
    gone = Presence().seen(is_whole=False, after_s=0.5)
    back = gone.seen(is_whole=True, after_s=1.5)
    assert (gone.back_s, back.back_s, back.seen(is_whole=True, after_s=9.0).back_s) == (None, 1.5, 1.5)
    assert back.seen(is_whole=False, after_s=2.0).seen(is_whole=True, after_s=3.0).back_s == 3.0


def test_what_is_left_is_said_in_words_and_nothing_left_is_no_problem() -> None:
    assert Aftermath().problems == []
    left = Aftermath(down=("llm",), leases={"tts-1": 2}, lasting_keys={"taken": 1})
    assert left.problems == [
        "llm did not come back by itself",
        "2 leases on tts-1 outlive their calls",
        "1 more keys taken:… without an expiry",
    ]
