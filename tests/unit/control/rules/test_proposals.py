from __future__ import annotations

from dataclasses import replace

from dispatcher.control.rules.actions import Action, Change, conflict
from dispatcher.control.rules.evidence import Cause, Measures, Operable, PhraseEvidence, TunerEvidence
from dispatcher.control.rules.proposals import proposals
from tests.unit.control.rules.tuner_ticks import WELL, evidence, llm, worker


def words(cause: Cause, seen: TunerEvidence) -> list[str]:
    return [proposal.action.in_words() for proposal in proposals(cause, seen)]


def test_a_failing_instance_is_used_last_the_best_other_one_first_and_then_it_gets_less() -> None:
    seen = evidence(
        instances=(
            llm("a", error_ratio=0.3, priority="high"),
            llm("b", error_ratio=0.02),
            llm("c", priority="low"),
        )
    )
    assert words("errors", seen) == [
        "prefer llm/c: as configured → high, llm/a: as configured → low",
        "cap llm/a: as configured → 4",
    ]


def test_an_only_instance_that_fails_gets_less_and_never_less_than_one_call() -> None:
    assert words("errors", evidence(instances=(llm("a", error_ratio=1.0),))) == [
        "cap llm/a: as configured → 4"
    ]
    assert words("errors", evidence(instances=(llm("a", error_ratio=1.0, cap_limit=1),))) == []
    held = llm("a", error_ratio=1.0, cap=8, is_cap_held=True)
    assert words("errors", evidence(instances=(held,))) == [], "an operator holds its cap"


def test_an_instance_that_is_used_last_already_gets_less() -> None:
    seen = evidence(instances=(llm("a", error_ratio=0.3, priority_override="low"), llm("b")))
    assert words("errors", seen) == ["cap llm/a: as configured → 4"]


def test_one_that_stands_by_is_never_used_first_nor_by_anybodys_failure_more_than_it_is() -> None:
    failing = evidence(instances=(llm("a", error_ratio=0.3), llm("spare", priority="standby")))
    assert words("errors", failing) == ["cap llm/a: as configured → 4"]
    spare = evidence(instances=(llm("a"), llm("spare", error_ratio=0.3, priority="standby")))
    assert words("errors", spare) == ["cap llm/spare: as configured → 4"]


def test_errors_that_no_instance_explains_restart_the_heaviest_worker_and_let_fewer_devices_in() -> None:
    workers = (worker("llm@a", megabytes=90), worker("llm@b", megabytes=200), worker("tts@a"))
    seen = evidence(workers=workers, devices=50)
    assert words("errors", seen) == ["restart llm@b", "admission max_devices: as configured → 45"]


def test_no_worker_is_restarted_that_nobody_would_stand_in_for() -> None:
    alone = evidence(workers=(worker("llm@a", megabytes=90),))
    assert words("errors", alone) == []
    assert words("errors", evidence(workers=alone.workers, supervised=True)) == ["restart llm@a"]


def test_memory_is_won_by_a_restart_shorter_buffers_an_empty_cache_and_fewer_devices() -> None:
    seen = evidence(devices=50, device_limit=60)
    assert words("memory", seen) == [
        "buffer reply_kept_s: as configured → 1",
        "clear_cache nginx",
        "admission max_devices: 60 → 45",
    ]
    done = evidence(reply_kept_s=1.0, devices=50, device_limit=45, missing=(("clear_cache", "no nginx"),))
    assert words("memory", done) == []


def test_a_pool_grows_where_tasks_wait_and_no_further_than_instances_have_slots() -> None:
    seen = evidence(
        instances=(llm("a"),), workers=(worker("llm@a", pool=6),), queued=(("llm", 9),), missing=NO_RECORDS
    )
    assert words("response", seen) == ["pool llm: 6 → 8"]
    full = evidence(
        instances=(llm("a"),), workers=(worker("llm@a", pool=8),), queued=(("llm", 9),), missing=NO_RECORDS
    )
    assert words("response", full) == []


def test_slow_answers_from_elsewhere_let_local_instances_go_first() -> None:
    seen = evidence(
        instances=(llm("far", latency_ms=900.0), llm("near", latency_ms=500.0, is_local=True)),
        missing=NO_RECORDS,
    )
    assert words("response", seen) == ["prefer llm/near: as configured → high, llm/far: as configured → low"]


def test_an_instance_twice_as_slow_as_another_is_used_last_or_less() -> None:
    seen = evidence(instances=(llm("a", latency_ms=100.0), llm("b", latency_ms=900.0)), missing=NO_RECORDS)
    assert words("response", seen) == [
        "prefer llm/a: as configured → high, llm/b: as configured → low",
        "cap llm/b: as configured → 4",
    ]
    near = evidence(instances=(llm("a", latency_ms=100.0), llm("b", latency_ms=190.0)), missing=NO_RECORDS)
    assert words("response", near) == []
    quick = evidence(instances=(llm("a", latency_ms=20.0), llm("b", latency_ms=90.0)), missing=NO_RECORDS)
    assert words("response", quick) == []


def test_a_supervisor_is_asked_for_two_more_workers_at_most() -> None:
    queued = (("tts", 5),)
    seen = evidence(queued=queued, supervised=True, extra_workers=(("tts", 1),), missing=NO_RECORDS)
    assert words("response", seen) == ["worker tts: 1 → 2"]
    enough = evidence(queued=queued, supervised=True, extra_workers=(("tts", 2),))
    assert words("response", enough) == ["records sql"]


def test_a_busy_box_throttles_its_own_instances_and_pools_and_grows_nothing() -> None:
    seen = evidence(
        instances=(llm("near", is_local=True, in_flight=5), llm("far", in_flight=9)),
        workers=(worker("llm@a", pool=16), worker("tts@a", pool=8)),
        devices=4,
    )
    assert words("cpu", seen) == [
        "cap llm/near: as configured → 6",
        "prefer llm/far: as configured → high, llm/near: as configured → low",
        "pool llm: 16 → 12",
        "admission max_devices: as configured → 5",
    ]
    assert words("cpu", evidence(workers=(worker("llm@a", pool=4),))) == []


NO_RECORDS = (("records", "no records are kept here"),)
GROW = Action(kind="pool", target="llm", changes=(Change(what="llm", before=4, after=8),))
LESS = Action(kind="cap", target="llm/a", changes=(Change(what="llm/a", before=None, after=4),))


def prefer(what: str, after: str) -> Action:
    return Action(kind="prefer", target="llm", changes=(Change(what=what, before=None, after=after),))


def test_nothing_grows_while_the_box_is_short_of_what_it_would_cost() -> None:
    assert conflict(GROW, WELL, []) == ""
    assert conflict(GROW, Measures(), []) == ""
    assert conflict(GROW, Measures(cpu=0.8), []) == "cpu is at 0.80 of at most 0.85"
    assert conflict(GROW.inverse(), Measures(cpu=0.99), []) == ""
    assert conflict(Action(kind="restart", target="llm@a"), Measures(cpu=0.99), []).startswith("cpu")


def test_nothing_goes_against_what_was_found_to_help() -> None:
    assert conflict(LESS, WELL, [GROW, LESS]) == ""
    assert conflict(LESS.inverse(), WELL, [LESS]) == "cap llm/a: as configured → 4 was found to help"
    assert conflict(prefer("llm/a", "low"), WELL, [prefer("llm/a", "high")]) != ""
    assert conflict(prefer("llm/a", "low"), WELL, [prefer("llm/b", "high")]) == ""


def test_a_service_whose_slots_are_all_taken_gets_one_more_instance_where_somebody_can_start_it() -> None:
    full = (llm("a", cap=2, in_flight=2), llm("b", cap=4, cap_limit=1, in_flight=1))
    can = Operable(growable=frozenset({"llm", "tts"}))
    seen = evidence(instances=full, operable=can, missing=NO_RECORDS)
    assert words("response", seen) == ["instance llm: 0 → 1"]
    two = evidence(instances=full, operable=can, extra_instances=(("llm", 2),), missing=NO_RECORDS)
    assert words("response", two) == []
    free = evidence(instances=(llm("a", in_flight=1),), operable=can, missing=NO_RECORDS)
    assert words("response", free) == []
    assert words("response", evidence(instances=full, missing=NO_RECORDS)) == []


def test_an_instance_that_fails_is_restarted_first_where_it_is_kept_running_here() -> None:
    failing = (llm("a", error_ratio=0.4, cap=1, priority="low"), llm("b"))
    kept = Operable(restartable=frozenset({"llm/a"}))
    assert words("errors", evidence(instances=failing, operable=kept)) == ["restart_instance llm/a"]
    assert words("errors", evidence(instances=failing, operable=Operable())) == []
    assert words("errors", evidence(instances=(llm("b"),), operable=kept)) == []


def test_a_busy_box_gives_its_instances_less_cpu_once() -> None:
    busy, can = (llm("near", is_local=True, cap=1, in_flight=1),), Operable(can_throttle=True)
    assert words("cpu", evidence(instances=busy, operable=can)) == ["throttle instances: as configured → 1"]
    assert words("cpu", evidence(instances=busy, operable=can, is_throttled=True)) == []
    assert words("cpu", evidence(operable=can)) == []


FULL = PhraseEvidence(max_mb=16, used_mb=15.9, evicted_mb=3, saved_s_per_mb=40)


def test_a_full_phrase_cache_that_is_worth_it_gets_more_room_up_to_four_times() -> None:
    def grown(phrases: PhraseEvidence) -> list[str]:
        return [each for each in words("response", evidence(phrases=phrases)) if "cache_size" in each]

    assert grown(FULL) == ["cache_size phrase_cache_extra_mb: 0 → 16"]
    assert grown(replace(FULL, extra_mb=16)) == ["cache_size phrase_cache_extra_mb: 16 → 48"]
    assert grown(replace(FULL, extra_mb=48)) == []
    assert grown(replace(FULL, evicted_mb=0)) == []
    assert grown(replace(FULL, saved_s_per_mb=1)) == []


def test_phrases_that_are_not_worth_their_memory_are_cleared_and_others_are_not() -> None:
    def cleared(phrases: PhraseEvidence) -> list[str]:
        return [each for each in words("memory", evidence(phrases=phrases)) if "phrases" in each]

    assert cleared(replace(FULL, saved_s_per_mb=1)) == ["clear_phrases phrases"]
    assert cleared(FULL) == []
    assert cleared(replace(FULL, saved_s_per_mb=0, used_mb=0.2)) == []


def test_more_room_waits_while_memory_is_short() -> None:
    (grown,) = (
        each.action
        for each in proposals("response", evidence(phrases=FULL))
        if each.action.kind == "cache_size"
    )
    assert conflict(grown, Measures(memory=0.89), ()) == "memory is at 0.89 of at most 0.90"
    assert conflict(grown, Measures(memory=0.5), ()) == ""
    assert conflict(grown.inverse(), Measures(memory=0.89), ()) == ""
