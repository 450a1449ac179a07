"""Every row of the state table, taken by a call with a fake router in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import pytest
from structlog.testing import capture_logs

from dispatcher.errors import (
    ContentRefused,
    EmptyReply,
    InstanceFailed,
    InstanceUnreachable,
    NoInstanceAvailable,
)
from dispatcher.messages import Service
from dispatcher.pipeline.attempt import (
    TRANSITIONS,
    Attempt,
    AttemptEvent,
    AttemptState,
    CallProfile,
    now,
)
from dispatcher.pipeline.attempt_runner import LostHedge
from dispatcher.pipeline.hedged_call import HEDGE_POLL_INTERVAL_S, HedgedCall
from dispatcher.routing.router import Lease
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

Step: TypeAlias = Callable[[Attempt], Awaitable[None]]
Rows: TypeAlias = set[tuple[AttemptState, AttemptEvent]]
S: Final = AttemptState
E: Final = AttemptEvent
# What an LLM that was never asked may take to its first sentence.
LATE_S: Final = 0.6


def after(seconds: float) -> Step:
    async def wait(_: Attempt) -> None:
        await asyncio.sleep(seconds)

    return wait


async def result(attempt: Attempt) -> None:
    """Have a result, which is sent or not."""
    attempt.mark_alive()
    if not attempt.try_win():
        raise LostHedge


async def thought(attempt: Attempt) -> None:
    attempt.mark_alive(is_thinking=True)


async def no_end(_: Attempt) -> None:
    await asyncio.Event().wait()


def failure(kind: type[InstanceFailed] = InstanceFailed) -> Step:
    async def fail(attempt: Attempt) -> None:
        raise kind(attempt.name, "as the test wants it")

    return fail


async def loss(_: Attempt) -> None:
    raise LostHedge


class Call:
    """A call to instances that follow a script each, and what became of it."""

    def __init__(self, service: Service = "llm", *, standby: str = "", **scripts: list[Step]) -> None:
        """Take the script of each instance by its name; the router picks them in this order."""
        self.worker = FakeWorker.with_instances(
            *(
                instance_of(service, name, priority="standby" if name == standby else "normal")
                for name in scripts
            )
        )
        self.profile = CallProfile(service=service, ticket=ticket_of())
        self.scripts = scripts
        self.asked: list[tuple[str, float]] = []
        self.hedging = self.worker.context.hedging
        self.router = self.worker.router

    def spend(self, *budgets: str) -> Call:
        """Leave nothing in these budgets."""
        for name in budgets:
            budget = getattr(self.hedging, f"{name}_budget")
            while budget.try_spend(now()):
                pass
        return self

    async def run(self) -> str:
        """Return the name of the instance whose result counts."""
        self.began_at = now()
        return await HedgedCall(self.worker.context, self.profile, self._attempt_on).run()

    async def observe(self) -> None:
        """Wait for the attempts that are only observed."""
        await asyncio.wait(self.worker.loop.kept, timeout=60)

    async def _attempt_on(self, attempt: Attempt, lease: Lease) -> str:
        name = lease.instance.name
        self.asked.append((name, round(now() - self.began_at, 2)))
        for step in self.scripts[name]:
            await step(attempt)
        return name


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    """The rows of the table that were taken."""
    taken: Rows = set()

    def advance(attempt: Attempt, event: AttemptEvent) -> None:
        taken.add((attempt.state, event))
        attempt.state = TRANSITIONS[attempt.state, event]

    monkeypatch.setattr(Attempt, "advance", advance)
    return taken


A_RESULT: Final = [after(0.3), result, after(0.2)]


async def test_a_call_in_time_asks_one_instance_and_gives_its_lease_back(rows: Rows) -> None:
    call = Call(a=A_RESULT, b=A_RESULT)
    assert await call.run() == "a"
    assert call.asked == [("a", 0.0)]
    assert call.router.outcomes == [("a", "ok")]
    assert rows == {(S.WAITING, E.LEASE), (S.RUNNING, E.WIN)}


async def test_a_call_that_fails_is_made_again_on_another_instance(rows: Rows) -> None:
    call = Call(a=[failure()], b=A_RESULT)
    assert await call.run() == "b"
    assert call.router.outcomes == [("a", "failed"), ("b", "ok")]
    assert (S.RUNNING, E.FAIL) in rows


async def test_a_call_that_no_instance_takes_says_so(rows: Rows) -> None:
    with pytest.raises(NoInstanceAvailable, match="none healthy"):
        await Call().run()
    assert rows == {(S.WAITING, E.FAIL)}


async def test_the_last_error_is_raised_when_none_is_left(rows: Rows) -> None:
    call = Call(a=[failure()], b=[failure()])
    with pytest.raises(InstanceFailed, match="b"):
        await call.run()
    assert [name for name, _ in call.asked] == ["a", "b"]


async def test_a_refusal_is_not_sent_to_another_instance() -> None:
    call = Call(a=[failure(ContentRefused)], b=A_RESULT)
    with pytest.raises(ContentRefused):
        await call.run()


async def test_two_empty_replies_are_enough() -> None:
    call = Call(a=[failure(EmptyReply)], b=[failure(EmptyReply)], c=A_RESULT)
    with pytest.raises(EmptyReply):
        await call.run()
    assert [name for name, _ in call.asked] == ["a", "b"]


async def test_without_a_retry_budget_a_failure_is_final() -> None:
    call = Call(a=[failure()], b=A_RESULT).spend("retry")
    with capture_logs() as logs, pytest.raises(InstanceFailed):
        await call.run()
    assert "retry budget spent, no other instance is asked" in [each["event"] for each in logs]


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


async def test_an_observed_instance_that_stays_silent_has_failed(rows: Rows) -> None:
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
    assert call.asked[1] == ("b", pytest.approx(6.0, abs=HEDGE_POLL_INTERVAL_S))


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
    assert call.asked[1] == ("b", pytest.approx(1.3)), "a second after its sentence"
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
    with pytest.raises(LostHedge):
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


async def test_a_barge_in_stops_all_attempts_the_observed_among_them() -> None:
    call = Call(a=[no_end], b=[after(0.2), result, no_end])
    running = asyncio.create_task(call.run())
    await asyncio.sleep(1.0)
    assert +call.router.held == {"a": 1, "b": 1}
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not +call.router.held
    assert set(call.router.outcomes) == {("a", "ignored"), ("b", "ignored")}


async def test_the_instance_to_ask_first_is_asked_first_if_it_is_free_and_healthy() -> None:
    for full, panic, asked in ((set[str](), set[str](), "b"), ({"b"}, set(), "a"), (set(), {"b"}, "a")):
        call = Call(a=A_RESULT, b=A_RESULT)
        call.profile = CallProfile(service="llm", ticket=ticket_of(), first="b")
        call.router.full, call.router.panic = full, panic
        assert await call.run() == asked


async def test_an_instance_that_is_late_in_another_call_is_avoided_while_there_are_others() -> None:
    call = Call(a=A_RESULT, b=A_RESULT)
    call.hedging.late.mark_late("another call", "a")
    assert await call.run() == "b"
    alone = Call(a=A_RESULT)
    alone.hedging.late.mark_late("another call", "a")
    assert await alone.run() == "a"


async def test_a_standby_instance_is_no_hedge_but_takes_a_call_that_failed() -> None:
    late = Call(standby="b", a=[after(2.0), result], b=A_RESULT)
    assert await late.run() == "a"
    assert late.asked == [("a", 0.0)]
    failed = Call(standby="b", a=[failure()], b=A_RESULT)
    assert await failed.run() == "b"


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
