"""A line with patience: what a Redis that is unreachable for a moment costs, and what is never done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from dispatcher.chains import PUSH
from dispatcher.errors import StateError
from dispatcher.messages import Reply
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import MAX_BATCH, RedisClient, connect
from dispatcher.redis_client.lua_script import NamedValues
from dispatcher.routing import leases
from dispatcher.routing.leases import Slot
from dispatcher.turn_store import replies
from dispatcher.turn_store.replies import ReplyReader
from tests.support.broker import Broker
from tests.support.flaky_redis import FlakyRedis
from tests.support.fleet import Fleet, llm

LONG_S = 30.0


@pytest.fixture
def shaky(broker: Broker) -> FlakyRedis:
    return FlakyRedis(broker.port)


@pytest.fixture
async def patient(fresh_broker: Broker) -> AsyncIterator[RedisClient]:
    """A line, in use, to a broker that the test may kill."""
    opened = RedisClient(connect(fresh_broker.url), reconnect_timeout_s=LONG_S)
    await opened.execute("PING")
    yield opened
    await opened.close()


def queue(sent: str) -> NamedValues:
    return {"queue": "llm", "sent": sent}


def message(text: str) -> NamedValues:
    return {"message": text, "sent_ttl_s": 15}


async def hears_the_end() -> None:
    """Let the loop read that the connection has ended; what is written before that may be carried out."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_is_asked_while_the_broker_is_away_is_answered_in_order_when_it_is_back(
    fresh_broker: Broker, patient: RedisClient
) -> None:
    fresh_broker.kill()
    await hears_the_end()
    patient.send_nowait("RPUSH", "order", "first")
    calls = [asyncio.ensure_future(patient.execute("RPUSH", "order", n)) for n in range(2 * MAX_BATCH)]
    await asyncio.sleep(0.1)  # what is shown is that nothing is given up meanwhile
    assert not any(call.done() for call in calls)
    fresh_broker.start()
    assert await asyncio.gather(*calls) == list(range(2, 2 * MAX_BATCH + 2))


async def test_what_others_will_look_for_is_there_before_anything_that_follows(
    fresh_broker: Broker, patient: RedisClient
) -> None:
    """The stream of a front, in a broker that came back empty, when a task of that front is taken."""
    reader = ReplyReader(connect(fresh_broker.url, socket_timeout_s=None), "stream")
    patient.on_connect_commands(*reader.opening)
    fresh_broker.kill()
    await hears_the_end()
    replies.send(patient, "stream", Reply(turn_id="t", attempt=1, kind="transcript", text="hello"))
    fresh_broker.start()
    assert await patient.execute("PING")
    # The reader comes last, and misses nothing.
    await reader.open()
    assert [reply.text for reply in await reader.read()] == ["hello"]
    await reader.close()


async def test_a_broker_that_stays_away_is_a_state_error_and_nobody_waits_for_it_again(
    fresh_broker: Broker,
) -> None:
    redis = RedisClient(connect(fresh_broker.url), reconnect_timeout_s=0.2)
    await redis.execute("PING")
    fresh_broker.kill()
    with pytest.raises(StateError):
        await redis.execute("PING")
    # From now on it is known to be away: one look each, which takes no longer than a refused connection.
    before = asyncio.get_running_loop().time()
    for _ in range(20):
        with pytest.raises(StateError):
            await redis.execute("PING")
    assert asyncio.get_running_loop().time() - before < 20 * 0.2
    fresh_broker.start()
    assert await redis.execute("PING")
    await redis.close()


async def test_a_broker_that_still_reads_its_file_is_waited_for(
    shaky: FlakyRedis, redis: RedisClient
) -> None:
    async with shaky.redis(reconnect_timeout_s=LONG_S) as through:
        shaky.next_time("INCR", "loading")
        assert await through.execute("INCR", "count") == 1
    assert shaky.met == [b"INCR"]
    assert await redis.execute("GET", "count") == b"1"


async def test_a_command_whose_answer_was_lost_is_not_carried_out_twice(shaky: FlakyRedis) -> None:
    async with shaky.redis(reconnect_timeout_s=LONG_S) as through:
        shaky.next_time("INCR", "answer lost")
        with pytest.raises(StateError):
            await through.execute("INCR", "count")
        assert await through.execute("GET", "count") == b"1"


async def test_a_question_whose_answer_was_lost_is_asked_again(shaky: FlakyRedis, redis: RedisClient) -> None:
    await redis.execute("SET", "known", "yes")
    async with shaky.redis(reconnect_timeout_s=LONG_S) as through:
        shaky.next_time("GET", "answer lost")
        assert await through.execute("GET", "known") == b"yes"
    assert shaky.met == [b"GET"]


async def test_without_patience_nothing_is_asked_again(shaky: FlakyRedis) -> None:
    async with shaky.redis(reconnect_timeout_s=0) as through:
        shaky.next_time("GET", "answer lost")
        with pytest.raises(StateError):
            await through.execute("GET", "known")
        assert await through.execute("GET", "known") is None


async def test_a_task_whose_answer_was_lost_is_in_its_queue_once(
    shaky: FlakyRedis, redis: RedisClient
) -> None:
    async with shaky.redis(reconnect_timeout_s=LONG_S) as through:
        await through.run(PUSH, keys=queue("sent:0"), arguments=message("an earlier one"))
        shaky.next_time("sent:1", "answer lost")
        assert await through.run(PUSH, keys=queue("sent:1"), arguments=message("task")) == 2
    assert shaky.met == [b"sent:1"]
    assert await redis.execute("LRANGE", "llm", 0, -1) == [b"task", b"an earlier one"]


async def test_a_lease_whose_answer_was_lost_is_taken_anew(
    shaky: FlakyRedis, redis: RedisClient, fleet: Fleet
) -> None:
    await fleet.configure("least_connections", llm("llm-1", cap=2))
    given_back = await fleet.pick()  # the broker knows the script from here on
    await leases.finish(redis, given_back, outcome="ignored", latency_ms=0)
    async with shaky.redis(reconnect_timeout_s=LONG_S) as through:
        shaky.next_time("turn-1", "answer lost")
        slot = await leases.pick(through, "llm", turn_id="turn-1", lease_id="call-1")
    assert shaky.met == [b"turn-1"]
    assert isinstance(slot, Slot)
    # The same lease on the same instance: it was only told again. On another one the first would expire.
    assert (slot.lease_id, slot.in_flight) == ("call-1", 2)
    assert await redis.execute("ZCARD", "leases:llm:llm-1") == 1


async def test_a_reply_whose_answer_was_lost_is_sent_again_and_read_once(
    shaky: FlakyRedis, redis: RedisClient, broker: Broker
) -> None:
    stream = keys.reply_stream("front-1")
    reader = ReplyReader(connect(broker.url, socket_timeout_s=None), stream)
    await reader.open()
    sent = [Reply(turn_id="t", attempt=1, kind="sentence", index=at, text="It is noon.") for at in range(3)]
    async with shaky.redis(reconnect_timeout_s=LONG_S) as through:
        shaky.next_time("XADD", "answer lost")
        for reply in sent:
            replies.send(through, stream, reply)
        assert await through.execute("PING")
    assert await redis.execute("XLEN", stream) > 1 + len(sent), "the opening, and one of them twice at least"
    assert await reader.read() == sent
    await reader.close()


async def test_a_reader_of_replies_says_that_redis_is_out_of_reach(fresh_broker: Broker) -> None:
    reader = ReplyReader(connect(fresh_broker.url, socket_timeout_s=None), "stream")
    await reader.open()
    fresh_broker.kill()
    with pytest.raises(StateError):
        await reader.read()
    with pytest.raises(StateError):
        await reader.open()
    fresh_broker.start()
    await reader.open()
    await reader.close()
