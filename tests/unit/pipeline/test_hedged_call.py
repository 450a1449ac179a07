"""Calls that are answered, fail or are cancelled; the rows of the state table that they take."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from dispatcher.errors import (
    ContentRefused,
    EmptyReply,
    InstanceFailed,
    NoInstanceAvailable,
)
from dispatcher.pipeline.attempt import CallProfile
from tests.unit.pipeline.fake_worker import ticket_of
from tests.unit.pipeline.scripted_call import (
    A_RESULT,
    Call,
    E,
    Rows,
    S,
    after,
    failure,
    no_end,
    result,
)


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


async def test_the_last_error_is_raised_when_none_is_left() -> None:
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


@pytest.mark.parametrize(("step", "asked"), [(0, ["a", "b"]), (1, ["a"])])
async def test_in_overload_no_second_instance_is_asked_beside_a_late_one(step: int, asked: list[str]) -> None:
    call = Call(a=[after(3.0), result], b=A_RESULT)
    call.profile = CallProfile(service="llm", ticket=ticket_of(overload_step=step))
    call.router.probes["a"] = "b" if step else ""
    assert await call.run() == asked[-1]
    assert [name for name, _ in call.asked] == asked


async def test_in_overload_instances_that_stand_by_may_take_a_call_after_those_without_a_key() -> None:
    call = Call(a=A_RESULT, b=A_RESULT)
    catalogue = call.worker.context.catalogue
    llm = catalogue.services["llm"]
    paid = replace(llm.instances[0], api_key_env="A_KEY")
    services = {**catalogue.services, "llm": replace(llm, instances=(paid, llm.instances[1]))}
    call.router.active.current = replace(catalogue, services=services)
    assert await call.run() == "a"
    call.profile = CallProfile(service="llm", ticket=ticket_of(overload_step=3))
    assert await call.run() == "b"
    call.router.full.add("b")
    assert await call.run() == "a"
    assert call.router.modes == [("a", "offer"), ("b", "relief"), ("a", "relief")]
