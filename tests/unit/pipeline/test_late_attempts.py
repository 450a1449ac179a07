"""Attempts that are late: hedged, overtaken, observed, probed; the rows of the state table that they take."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.errors import (
    InstanceFailed,
    InstanceUnreachable,
    NoInstanceAvailable,
)
from dispatcher.pipeline.attempt import now
from dispatcher.pipeline.hedged_call import HEDGE_POLL_INTERVAL_S
from tests.unit.pipeline.scripted_call import (
    A_RESULT,
    LATE_S,
    Call,
    E,
    Rows,
    S,
    after,
    failure,
    loss,
    no_end,
    result,
    thought,
)


async def test_a_late_instance_is_hedged_and_the_quicker_result_wins(rows: Rows) -> None:
    call = Call(a=[after(2.0), result, no_end], b=A_RESULT)
    late: list[frozenset[str]] = []
    asyncio.get_running_loop().call_later(LATE_S + 0.1, lambda: late.append(call.hedging.late.names))
    assert await call.run() == "b"
    assert call.asked == [("a", 0.0), ("b", LATE_S)]
    assert late == [{"a"}], "other calls avoid it"
    assert rows >= {(S.RUNNING, E.EXPIRE), (S.LATE, E.HEDGE), (S.HEDGED, E.OBSERVE), (S.RUNNING, E.WIN)}

    await call.observe()
    assert call.router.outcomes == [("b", "ok"), ("a", "ignored")]
    assert call.hedging.late.names == frozenset()
    assert call.hedging.estimators["llm"].wait_s("a") == pytest.approx(2.6), "its time is known"


async def test_an_observed_instance_that_stays_silent_has_failed() -> None:
    call = Call(a=[no_end], b=A_RESULT)
    assert await call.run() == "b"
    await call.observe()
    assert call.router.outcomes == [("b", "ok"), ("a", "failed")]
    assert now() - call.began_at == pytest.approx(5.0), "as long as any LLM may be silent"


async def test_a_hedged_instance_may_still_win_and_one_that_is_in_time_is_stopped(rows: Rows) -> None:
    call = Call(a=[after(LATE_S + 0.2), result, after(0.1)], b=[after(0.4), result])
    assert await call.run() == "a"
    assert rows >= {(S.HEDGED, E.WIN), (S.RUNNING, E.LOSE)}
    assert call.router.outcomes == [("b", "ignored"), ("a", "ok")]
    assert not call.worker.loop.kept


async def test_a_second_instance_that_is_late_as_well_is_observed(rows: Rows) -> None:
    call = Call(a=[after(3 * LATE_S), result, after(0.1)], b=[after(4 * LATE_S), result])
    assert await call.run() == "a"
    assert (S.RUNNING, E.OBSERVE) in rows
    await call.observe()
    assert call.hedging.estimators["llm"].wait_s("b") > 2.0


async def test_without_a_hedge_budget_a_late_instance_is_waited_for(rows: Rows) -> None:
    call = Call(a=[after(LATE_S + 3 * HEDGE_POLL_INTERVAL_S), result], b=A_RESULT).spend("hedge")
    assert await call.run() == "a"
    assert call.asked == [("a", 0.0)]
    assert rows >= {(S.LATE, E.EXPIRE), (S.LATE, E.WIN)}


async def test_a_late_instance_that_fails_is_replaced(rows: Rows) -> None:
    call = Call(a=[after(1.0), failure()], b=A_RESULT).spend("hedge")
    assert await call.run() == "b"
    assert (S.LATE, E.FAIL) in rows


async def test_a_long_silence_is_paid_as_a_retry() -> None:
    call = Call("asr", a=[no_end], b=A_RESULT).spend("hedge")
    call.hedging.hedge_budget._seen_at = now() + 60  # time earns nothing meanwhile
    assert await call.run() == "b"
    assert call.asked[1][0] == "b"
    assert call.asked[1][1] == pytest.approx(6.0, abs=HEDGE_POLL_INTERVAL_S)


async def test_one_hedge_of_a_call_that_fails_is_followed_by_another(rows: Rows) -> None:
    call = Call(a=[after(3.0), result], b=[failure()], c=A_RESULT)
    assert await call.run() == "c"
    assert [name for name, _ in call.asked] == ["a", "b", "c"]
    assert rows >= {(S.HEDGED, E.EXPIRE), (S.HEDGED, E.HEDGE)}


async def test_a_hedged_instance_that_fails_leaves_the_call_to_the_other(rows: Rows) -> None:
    call = Call(a=[after(LATE_S + 0.1), failure()], b=A_RESULT)
    assert await call.run() == "b"
    assert (S.HEDGED, E.FAIL) in rows
    assert [name for name, _ in call.asked] == ["a", "b"]


async def test_a_second_attempt_that_waits_for_a_slot_is_stopped_by_the_first_result(rows: Rows) -> None:
    call = Call(a=[after(1.0), result, after(0.1)], b=A_RESULT)
    call.router.full.add("b")
    assert await call.run() == "a"
    assert (S.WAITING, E.LOSE) in rows
    assert call.router.outcomes == [("a", "ok")]


async def test_a_model_that_thinks_has_only_an_idle_instance_beside_it(rows: Rows) -> None:
    call = Call(a=[thought, after(1.0), thought, no_end], b=A_RESULT)
    assert await call.run() == "b"
    assert call.hedging.late.names == frozenset(), "nothing is wrong with it"
    assert (S.HEDGED, E.LOSE) in rows
    assert ("a", "ignored") in call.router.outcomes

    busy = Call(a=[thought, after(1.0), result], b=A_RESULT)
    busy.router.held["b"] = 1
    assert await busy.run() == "a"


async def test_a_winner_that_pauses_is_hedged_and_the_next_sentence_wins(rows: Rows) -> None:
    call = Call(a=[after(0.3), result, no_end], b=A_RESULT)
    assert await call.run() == "b"
    assert call.asked[1] == ("b", 1.3), "a second after its sentence"
    assert rows >= {(S.WON, E.EXPIRE), (S.WON, E.HEDGE), (S.HEDGED, E.OBSERVE)}


async def test_a_winner_that_pauses_keeps_the_win_while_the_budget_is_spent() -> None:
    call = Call(a=[result, after(1.4), result, after(0.1)], b=A_RESULT).spend("hedge")
    assert await call.run() == "a"
    assert call.asked == [("a", 0.0)]


async def test_pauses_of_speech_are_not_hedged() -> None:
    call = Call("tts", a=[result, after(4.0)], b=A_RESULT)
    assert await call.run() == "a"
    assert call.asked == [("a", 0.0)]


async def test_a_winner_that_fails_is_replaced(rows: Rows) -> None:
    call = Call(a=[result, failure()], b=A_RESULT)
    assert await call.run() == "b"
    assert (S.WON, E.FAIL) in rows


async def test_an_attempt_that_gives_up_alone_ends_the_call_with_the_last_error(rows: Rows) -> None:
    with pytest.raises(NoInstanceAvailable, match="gave up"):
        await Call(a=[after(1.0), loss]).run()
    call = Call(a=[failure()], b=[after(1.0), loss], c=A_RESULT).spend("hedge")
    with pytest.raises(InstanceFailed, match="a"):
        await call.run()
    assert (S.LATE, E.LOSE) in rows


async def test_a_probe_runs_beside_the_call_and_is_measured(rows: Rows) -> None:
    call = Call(a=A_RESULT, b=[after(2.0), result])
    call.router.probes["a"] = "b"
    assert await call.run() == "a"
    assert (S.OBSERVED, E.LEASE) in rows
    await call.observe()
    assert call.router.modes == [("a", "offer"), ("b", "probe")]
    assert call.hedging.estimators["llm"].wait_s("b") == pytest.approx(2.6)


async def test_a_probe_that_thinks_is_no_failure_and_one_that_is_silent_is() -> None:
    for script, outcome in ((thought, "ignored"), (after(0.0), "failed")):
        call = Call(a=A_RESULT, b=[script, no_end])
        call.router.probes["a"] = "b"
        await call.run()
        await call.observe()
        assert call.router.outcomes[-1] == ("b", outcome)
        assert now() - call.began_at == pytest.approx(10.0), "twice as long as any is waited for"


async def test_without_a_hedge_budget_nothing_is_probed() -> None:
    call = Call(a=A_RESULT, b=A_RESULT).spend("hedge")
    call.router.probes["a"] = "b"
    await call.run()
    assert not call.worker.loop.kept


async def test_two_attempts_that_end_at_once_cost_no_retry() -> None:
    call = Call(a=[after(1.0), failure()], b=[after(1.0 - LATE_S), result])
    before = call.hedging.retry_budget._saved
    assert await call.run() == "b"
    assert call.hedging.retry_budget._saved >= before


async def test_what_one_call_cost_is_unreachable_only_where_it_was_silent() -> None:
    call = Call(a=[result, no_end], b=A_RESULT)
    await call.run()
    await call.observe()
    (task,) = call.worker.loop.kept
    assert isinstance(task.exception(), InstanceUnreachable)
    assert "no next sentence in time" in str(task.exception())
