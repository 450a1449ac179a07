"""The pipelined line: order, crowds, a broker that goes away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatcher.errors import StateError
from dispatcher.redis_client import client as line_module
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.redis_client.lua_script import Script
from tests.support.broker import Broker
from tests.support.waiting import soon


@pytest.fixture
async def fresh_redis(fresh_broker: Broker) -> AsyncIterator[RedisClient]:
    """A line to a broker that the test may kill."""
    opened = RedisClient(connect(fresh_broker.url, socket_timeout_s=1))
    yield opened
    await opened.close()


async def works(redis: RedisClient) -> bool:
    try:
        return bool(await redis.execute("PING"))
    except StateError:
        return False


async def test_commands_are_answered_in_the_order_in_which_they_were_issued(redis: RedisClient) -> None:
    answers = await asyncio.gather(*(redis.execute("RPUSH", "order", number) for number in range(2_000)))
    assert answers == list(range(1, 2_001))
    assert await redis.execute("LRANGE", "order", 0, -1) == [str(number).encode() for number in range(2_000)]


async def test_a_cast_comes_before_the_call_that_follows_it(redis: RedisClient) -> None:
    redis.send_nowait("SET", "said", "first")
    redis.send_nowait("SET", "said", "second")
    assert await redis.execute("GET", "said") == b"second"


async def test_a_thousand_callers_each_get_their_own_answer(redis: RedisClient) -> None:
    async def caller(number: int) -> bool:
        await redis.execute("SET", f"key-{number}", number)
        await asyncio.sleep(0)
        return bool(await redis.execute("GET", f"key-{number}") == str(number).encode())

    assert all(await asyncio.gather(*(caller(number) for number in range(1_000))))


async def test_a_refused_command_fails_alone(redis: RedisClient) -> None:
    await redis.execute("SET", "text", "no list")
    answers = await asyncio.gather(
        redis.execute("SET", "before", 1),
        redis.execute("RPUSH", "text", "x"),
        redis.execute("SET", "after", 2),
        return_exceptions=True,
    )
    assert isinstance(answers[1], StateError)
    assert "WRONGTYPE" in str(answers[1])
    assert await redis.execute("MGET", "before", "after") == [b"1", b"2"]


async def test_what_cannot_be_sent_fails_by_itself_and_at_once(redis: RedisClient) -> None:
    nothing: Any = None
    good = redis.submit(("SET", "beside", "1"))
    with pytest.raises(StateError, match="redis: SET holds what cannot be sent: "):
        redis.submit(("SET", "it", nothing))
    with pytest.raises(StateError, match="cannot be sent"):
        redis.send_nowait("SET", "it", nothing)
    with pytest.raises(StateError, match="cannot be sent"):
        redis.submit(("SET", "it", "\ud800"))
    await good
    assert await redis.execute("GET", "beside") == b"1"


async def test_a_script_that_fails_says_why(redis: RedisClient) -> None:
    broken = Script(source="return redis.call('LPUSH', KEYS[1])", sha="0" * 40, keys=("it",))
    with pytest.raises(StateError, match=r"(?i)wrong number of arg"):
        await redis.run(broken, keys={"it": "key"})


async def test_a_caller_that_gave_up_does_not_disturb_the_others(redis: RedisClient) -> None:
    given_up = asyncio.ensure_future(redis.execute("SET", "kept", 1))
    other = asyncio.ensure_future(redis.execute("GET", "kept"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await other == b"1"


async def test_a_killed_broker_is_a_state_error_and_the_line_works_when_it_is_back(
    fresh_broker: Broker, fresh_redis: RedisClient
) -> None:
    assert await works(fresh_redis)
    fresh_broker.kill()
    with pytest.raises(StateError):
        await fresh_redis.execute("PING")
    fresh_redis.send_nowait("SET", "lost", 1)
    fresh_broker.start()
    await soon(lambda: works(fresh_redis), what="the line works again")
    assert await fresh_redis.execute("GET", "lost") in (None, b"1")


async def test_calls_under_way_when_the_broker_dies_all_end(
    fresh_broker: Broker, fresh_redis: RedisClient
) -> None:
    calls = [asyncio.ensure_future(fresh_redis.execute("INCR", "n")) for _ in range(3_000)]
    await asyncio.sleep(0)
    fresh_broker.kill()
    async with asyncio.timeout(15):
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(answer, int | StateError) for answer in answers)
    assert isinstance(answers[-1], StateError)


async def test_a_broker_that_hangs_is_a_state_error_after_the_time_out(
    fresh_broker: Broker, fresh_redis: RedisClient
) -> None:
    assert await works(fresh_redis)
    fresh_broker.send_signal(signal.SIGSTOP)
    try:
        async with asyncio.timeout(10):
            with pytest.raises(StateError, match="redis: no answer in time"):
                await fresh_redis.execute("PING")
    finally:
        fresh_broker.send_signal(signal.SIGCONT)
    await soon(lambda: works(fresh_redis), what="the line works again")


async def test_what_waits_for_a_broker_that_hangs_is_bounded(
    fresh_broker: Broker, fresh_redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "MAX_PENDING", 100)
    assert await works(fresh_redis)
    fresh_broker.send_signal(signal.SIGSTOP)
    try:
        fresh_redis.send_nowait("SET", "key", 0)
        await asyncio.sleep(0)
        # That one is under way; these wait behind it.
        for number in range(100):
            fresh_redis.send_nowait("SET", "key", number)
        with pytest.raises(StateError, match="does not keep up"):
            fresh_redis.send_nowait("SET", "key", 1)
    finally:
        fresh_broker.send_signal(signal.SIGCONT)
    await soon(lambda: works(fresh_redis), what="the line works again")


async def test_closing_sends_what_is_pending(broker: Broker, redis: RedisClient) -> None:
    other = RedisClient(connect(broker.url))
    for number in range(1_500):
        other.send_nowait("RPUSH", "last-words", number)
    await other.close()
    assert await redis.execute("LLEN", "last-words") == 1_500
