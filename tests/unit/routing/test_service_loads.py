"""Loads of the services, as one script reads them."""

from __future__ import annotations

import json
import time

import pytest

from dispatcher import chains
from dispatcher.messages import TurnTicket
from dispatcher.redis_client import keys
from dispatcher.routing import leases
from dispatcher.routing.leases import NoSlot, WaitingOrder
from dispatcher.routing.rules.prediction import ServiceLoad
from dispatcher.routing.service_loads import read_loads
from tests.support.fleet import TURN, Fleet, llm


async def test_slots_leases_and_the_line_are_counted(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=2), llm("B", cap=1))
    assert (await read_loads(fleet.redis))["llm"] == ServiceLoad(slots=3)
    for _ in range(3):
        await fleet.pick()
    assert await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id="late") == NoSlot(full=True)
    assert (await read_loads(fleet.redis))["llm"] == ServiceLoad(slots=3, in_flight=3, waiting=1)
    assert (await read_loads(fleet.redis))["asr"] == ServiceLoad()


async def test_only_the_calls_in_line_that_a_new_turn_comes_behind_are_counted(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=1))
    await fleet.pick()
    now_ms = time.time() * 1000

    async def wait(name: str, order: WaitingOrder) -> None:
        await leases.pick(fleet.redis, "llm", turn_id=TURN, lease_id=name, order=order)

    await wait("first", WaitingOrder(sharer="device"))
    await wait("overdue", WaitingOrder(due_ms=now_ms - 2_000))
    assert (await read_loads(fleet.redis))["llm"].waiting == 2
    await wait("again", WaitingOrder(sharer="device"))
    await wait("later sentence", WaitingOrder(due_ms=now_ms + 30_000))
    await wait("last class", WaitingOrder(waiting_class=1))
    assert (await read_loads(fleet.redis))["llm"].waiting == 2


async def test_the_first_sentence_of_a_turn_comes_behind_those_that_are_due_before_it(fleet: Fleet) -> None:
    now_ms = time.time() * 1000
    for name, due_ms in (("now", now_ms), ("next", now_ms + 450), ("later", now_ms + 30_000)):
        await fleet.redis.execute("ZADD", keys.waiting("tts"), due_ms * 1000, name)
    assert (await read_loads(fleet.redis))["tts"].waiting == 2


async def test_usual_times_are_those_of_the_last_calls(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=2), llm("B", cap=2))
    for took_ms in (9_000, *(2_000,) * 5, *(3_000,) * 5):
        slot = await fleet.pick(excluded=["B"])
        await leases.finish(fleet.redis, slot, outcome="ok", latency_ms=took_ms, first_ms=400)
    load = (await read_loads(fleet.redis))["llm"]
    assert (load.hold_s, load.first_s) == pytest.approx((2.5, 0.4))


async def test_only_instances_in_service_count(fleet: Fleet) -> None:
    out: dict[str, int | str] = {"draining": 1, "healthy": 0, "unconfigured": "a key", "failing": "refused"}
    await fleet.configure("least_connections", llm("A", cap=1), *(llm(name, cap=8) for name in out))
    for name, value in out.items():
        await fleet.redis.execute("HSET", keys.instance("llm", name), name, value)
    assert (await read_loads(fleet.redis))["llm"].slots == 1
    await fleet.redis.execute("HSET", keys.instance("llm", "A"), "ejected_until_ms", 2**50)
    assert (await read_loads(fleet.redis))["llm"].slots == 0


async def test_one_that_stands_by_counts_while_no_other_serves(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=1), llm("B", cap=8, priority="standby"))
    assert (await read_loads(fleet.redis))["llm"].slots == 1
    await fleet.redis.execute("HSET", keys.instance("llm", "A"), "draining", 1)
    assert (await read_loads(fleet.redis))["llm"].slots == 8


async def test_a_lower_cap_and_the_cap_of_the_service_count(fleet: Fleet) -> None:
    await fleet.configure("least_connections", llm("A", cap=8), llm("B", cap=8))
    await fleet.redis.execute("HSET", keys.instance("llm", "A"), "cap_limit", 2)
    assert (await read_loads(fleet.redis))["llm"].slots == 10
    await fleet.redis.execute("HSET", keys.fleet("llm"), "cap", 3)
    assert (await read_loads(fleet.redis))["llm"].slots == 3


async def test_workers_that_show_life_are_counted_by_queue(fleet: Fleet) -> None:
    now_ms = time.time() * 1000
    beats = {"box:1:asr:a": now_ms, "box:2:llm,tts:b": now_ms, "box:3:llm:c": now_ms, "watch": now_ms}
    beats |= {"box:4:asr:d": 0, "box:5:llm:e": now_ms - 5_000}
    await fleet.redis.execute(
        "ZADD", keys.WORKERS, *(word for id_, at_ms in beats.items() for word in (at_ms, id_))
    )
    assert [load.workers for load in (await read_loads(fleet.redis)).values()] == [1, 2, 1]


async def test_the_queue_of_a_lost_worker_is_read_by_the_others_and_that_of_one_that_left_is_not(
    fleet: Fleet,
) -> None:
    now_ms = time.time() * 1000
    beats = {
        "box:1:asr:a": now_ms,
        "box:2:llm:b": now_ms - 5_000,
        "box:3:tts:c": 0,
        "box:4:control:d": now_ms,
    }
    await fleet.redis.execute(
        "ZADD", keys.WORKERS, *(word for id_, at_ms in beats.items() for word in (at_ms, id_))
    )
    assert [load.workers for load in (await read_loads(fleet.redis)).values()] == [1, 1, 0]


async def test_the_queue_tells_its_length_and_the_age_of_its_oldest_task(fleet: Fleet) -> None:
    for age_s in (9, 4):
        message = json.dumps({"headers": {"sent_at_s": round(time.time() - age_s, 3)}})
        await fleet.redis.execute("LPUSH", "llm", message)
    load = (await read_loads(fleet.redis))["llm"]
    assert load.queued == 2
    assert load.queued_s == pytest.approx(9, abs=2)
    await fleet.redis.execute("RPUSH", "llm", "no message of ours")
    assert (await read_loads(fleet.redis))["llm"].queued_s == 0


async def test_the_age_of_a_task_is_told_by_the_clock_of_redis_alone(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = TurnTicket(
        turn_id="t",
        attempt=1,
        device_id="d",
        reply_stream="replies:f",
        deadline_at_s=0,
        text='"sent_at_s": 1',
    )
    hour_s = 3_600
    for skew_s in (-hour_s, hour_s):
        with monkeypatch.context() as elsewhere:
            now_s = time.time() + skew_s
            elsewhere.setattr("dispatcher.chains.time.time", lambda now_s=now_s: now_s)
            await chains.start_turn(fleet.redis, ticket)
    messages = await fleet.redis.execute("LRANGE", "llm", 0, -1)
    ages_s = [time.time() - (chains.sent_at_s(each) or 0) for each in messages]
    assert [abs(age_s) < hour_s / 2 for age_s in ages_s] == [True, True]
    assert all(b"sent_at_s" in json.loads(each)["body"].encode() for each in messages)
    assert (await read_loads(fleet.redis))["llm"].queued_s < hour_s / 2
