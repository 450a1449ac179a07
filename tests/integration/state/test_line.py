"""The pipelined line: order, crowds, a broker that goes away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.errors import StateError
from dispatcher.redis_client import client as line_module
from dispatcher.redis_client.client import RedisLine, connect
from dispatcher.redis_client.commands import Script
from tests.support.broker import Broker
from tests.support.waiting import soon


@pytest.fixture
async def fresh_line(fresh_broker: Broker) -> AsyncIterator[RedisLine]:
    """A line to a broker that the test may kill."""
    opened = RedisLine(connect(fresh_broker.url, socket_timeout_s=1))
    yield opened
    await opened.close()


async def works(line: RedisLine) -> bool:
    try:
        return bool(await line.call("PING"))
    except StateError:
        return False


async def test_commands_are_answered_in_the_order_in_which_they_were_issued(line: RedisLine) -> None:
    answers = await asyncio.gather(*(line.call("RPUSH", "order", number) for number in range(2_000)))
    assert answers == list(range(1, 2_001))
    assert await line.call("LRANGE", "order", 0, -1) == [str(number).encode() for number in range(2_000)]


async def test_a_cast_comes_before_the_call_that_follows_it(line: RedisLine) -> None:
    line.cast("SET", "said", "first")
    line.cast("SET", "said", "second")
    assert await line.call("GET", "said") == b"second"


async def test_a_thousand_callers_each_get_their_own_answer(line: RedisLine) -> None:
    async def caller(number: int) -> bool:
        await line.call("SET", f"key-{number}", number)
        await asyncio.sleep(0)
        return bool(await line.call("GET", f"key-{number}") == str(number).encode())

    assert all(await asyncio.gather(*(caller(number) for number in range(1_000))))


async def test_a_refused_command_fails_alone(line: RedisLine) -> None:
    await line.call("SET", "text", "no list")
    answers = await asyncio.gather(
        line.call("SET", "before", 1),
        line.call("RPUSH", "text", "x"),
        line.call("SET", "after", 2),
        return_exceptions=True,
    )
    assert isinstance(answers[1], StateError)
    assert "WRONGTYPE" in str(answers[1])
    assert await line.call("MGET", "before", "after") == [b"1", b"2"]


async def test_what_cannot_be_sent_fails_by_itself_and_at_once(line: RedisLine) -> None:
    nothing: Any = None
    good = line.submit(("SET", "beside", "1"))
    with pytest.raises(StateError, match="redis: SET holds what cannot be sent: "):
        line.submit(("SET", "it", nothing))
    with pytest.raises(StateError, match="cannot be sent"):
        line.cast("SET", "it", nothing)
    await good
    assert await line.call("GET", "beside") == b"1"


async def test_a_script_that_fails_says_why(line: RedisLine) -> None:
    broken = Script("return redis.call('LPUSH', KEYS[1])", "0" * 40)
    with pytest.raises(StateError, match=r"(?i)wrong number of arg"):
        await line.run(broken, ["key"], [])


async def test_a_caller_that_gave_up_does_not_disturb_the_others(line: RedisLine) -> None:
    given_up = asyncio.ensure_future(line.call("SET", "kept", 1))
    other = asyncio.ensure_future(line.call("GET", "kept"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await other == b"1"


async def test_a_killed_broker_is_a_state_error_and_the_line_works_when_it_is_back(
    fresh_broker: Broker, fresh_line: RedisLine
) -> None:
    assert await works(fresh_line)
    fresh_broker.kill()
    with pytest.raises(StateError):
        await fresh_line.call("PING")
    fresh_line.cast("SET", "lost", 1)
    fresh_broker.start()
    await soon(lambda: works(fresh_line), what="the line works again")
    assert await fresh_line.call("GET", "lost") in (None, b"1")


async def test_calls_under_way_when_the_broker_dies_all_end(
    fresh_broker: Broker, fresh_line: RedisLine
) -> None:
    calls = [asyncio.ensure_future(fresh_line.call("INCR", "n")) for _ in range(3_000)]
    await asyncio.sleep(0)
    fresh_broker.kill()
    async with asyncio.timeout(15):
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(answer, int | StateError) for answer in answers)
    assert isinstance(answers[-1], StateError)


async def test_a_broker_that_hangs_is_a_state_error_after_the_time_out(
    fresh_broker: Broker, fresh_line: RedisLine
) -> None:
    assert await works(fresh_line)
    fresh_broker.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(StateError, match="redis: no answer in time"):
                await fresh_line.call("PING")
    finally:
        fresh_broker.send_signal(signal.SIGCONT)
    await soon(lambda: works(fresh_line), what="the line works again")


async def test_what_waits_for_a_broker_that_hangs_is_bounded(
    fresh_broker: Broker, fresh_line: RedisLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "MAX_PENDING", 100)
    assert await works(fresh_line)
    fresh_broker.send_signal(signal.SIGSTOP)
    try:
        fresh_line.cast("SET", "key", 0)
        await asyncio.sleep(0)
        # That one is under way; these wait behind it.
        for number in range(100):
            fresh_line.cast("SET", "key", number)
        with pytest.raises(StateError, match="does not keep up"):
            fresh_line.cast("SET", "key", 1)
    finally:
        fresh_broker.send_signal(signal.SIGCONT)
    await soon(lambda: works(fresh_line), what="the line works again")


async def test_closing_sends_what_is_pending(broker: Broker, line: RedisLine) -> None:
    other = RedisLine(connect(broker.url))
    for number in range(1_500):
        other.cast("RPUSH", "last-words", number)
    await other.close()
    assert await line.call("LLEN", "last-words") == 1_500
