"""Weights and caps that an operator holds: over the YAML and what was learned, until their end."""

from __future__ import annotations

import pytest

from dispatcher.errors import ConfigError
from dispatcher.ops.instance_holds import hold_instance, seconds_of
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin, leases
from dispatcher.routing.adjustments import adjust
from dispatcher.routing.instance_fields import HeldValue, read_held
from dispatcher.routing.leases import NoSlot
from dispatcher.routing.overview import InstanceView, read_overview
from dispatcher.routing.service_loads import read_loads
from tests.support.fleet import Fleet, llm


async def view(redis: RedisClient, name: str) -> InstanceView:
    """Return an instance as status shows it."""
    return next(each for each in (await read_overview(redis)).instances if each.name == name)


async def test_a_held_weight_counts_from_the_next_pick_until_it_is_undone(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("weighted_round_robin", llm("A"), llm("B"))
    assert await hold_instance(redis, "A", "weight", "3", for_s=None, by="Ada") == (
        "A: weight 3 until `dispatcher weight A auto`"
    )
    assert sorted(await fleet.pick_in_turn(8)) == list("AAAAAABB")
    shown = await view(redis, "A")
    assert (shown.weight, shown.effective_weight) == (1, 3)
    assert shown.weight_held == HeldValue(value=3, left_s=None, by="Ada")
    await fleet.configure("weighted_round_robin", llm("A", weight=2), llm("B"))
    assert (await view(redis, "A")).effective_weight == 3, "a reload does not end it"
    await hold_instance(redis, "A", "weight", "auto", for_s=None)
    assert (await view(redis, "A")).effective_weight == 2


async def test_a_hold_ends_by_itself_in_the_pick_as_in_the_status(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A", cap=2))
    assert await hold_instance(redis, "A", "cap", "1", for_s=600, by="Ada") == "A: cap 1 for 600 s"
    seconds, _ = await redis.execute("TIME")
    now_ms = int(seconds) * 1000
    assert (await read_loads(redis))["llm"].slots == 1
    await leases.pick(redis, "llm", turn_id="t", now_ms=now_ms)
    assert isinstance(await leases.pick(redis, "llm", turn_id="t", now_ms=now_ms), NoSlot)
    later_ms = now_ms + 602_000
    assert not isinstance(await leases.pick(redis, "llm", turn_id="t", now_ms=later_ms), NoSlot)
    written = (await redis.execute("HGET", keys.instance("llm", "A"), "cap_held")).decode()
    held = read_held(written, now_ms)
    assert held is not None
    assert held.left_s == pytest.approx(600, abs=1.1)
    assert read_held(written, later_ms) is None


async def test_the_adjuster_leaves_a_held_weight_alone(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("weighted_round_robin", llm("A"), llm("B"))
    await admin.hold(redis, "A", "weight", 5, for_s=None, by="Ada")
    await adjust(redis, "llm")
    await fleet.call_ends("A", "ok", times=10, latency_ms=100)
    await fleet.call_ends("B", "ok", times=10, latency_ms=900)
    found = {each.name: each for each in await adjust(redis, "llm")}
    assert (found["A"].after, found["A"].reason) == (1.0, "out of use")


@pytest.mark.parametrize(
    ("field", "written"), [("weight", "0"), ("weight", "much"), ("cap", "1.5"), ("cap", "0"), ("cap", "1e9")]
)
async def test_what_is_no_weight_or_cap_is_refused(
    fleet: Fleet, redis: RedisClient, field: admin.HeldField, written: str
) -> None:
    await fleet.configure("round_robin", llm("A"))
    with pytest.raises(ConfigError, match=f"value: was '{written}'; expected a"):
        await hold_instance(redis, "A", field, written, for_s=None)


@pytest.mark.parametrize(("written", "seconds"), [("30s", 30), ("5m", 300), ("1.5 h", 5400), ("24h", 86400)])
def test_a_length_of_time_has_a_unit(written: str, seconds: float) -> None:
    assert seconds_of(written) == seconds


@pytest.mark.parametrize(
    "written", ["", "5", "0s", "0.0004s", "-1m", "25h", "1h30m", "1d", "h", "soon", "5 m now"]
)
def test_what_is_no_length_of_a_hold_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="expected a time such as 30s, 5m or 1h"):
        seconds_of(written)
