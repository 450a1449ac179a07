"""What an instance that fails for a while, or again and again, does to the traffic."""

from __future__ import annotations

from itertools import pairwise

from dispatcher.redis_client.client import RedisClient
from tests.simulation.flapping import BEGINS_S, ENDS_S, ONE_FAULT, Watched, flapping, run
from tests.simulation.world import Ended

# A first attempt that fails costs a call 50 ms; without any, calls take 0.9 s at p99.
P99_MS = 1500.0


def share_of_a(watched: Watched, from_s: float, until_s: float) -> float:
    """Return which share of the calls the instance got that was at fault."""
    given = watched.given(from_s, until_s)
    return given["A"] / given.total()


def p99_ms(ended: list[Ended]) -> float:
    """Return what all but one call in a hundred took at most."""
    return sorted(each.took_ms for each in ended)[int(len(ended) * 0.99)]


async def test_an_ejected_instance_comes_back_by_a_probe_and_slow_start_to_its_full_share(
    redis: RedisClient,
) -> None:
    watched, ended = await run(redis, ONE_FAULT, seed=1)
    assert all(each.succeeded for each in ended)
    given_s = [at_ms / 1000 for at_ms, name in watched.given_ms if name == "A"]
    pause_s, back_s = max((after - before, after) for before, after in pairwise(given_s))
    # Nothing for five seconds, then one probe at a time until it is well, then its share within ten seconds.
    assert BEGINS_S + 5 <= back_s <= BEGINS_S + 8
    assert 4.8 <= pause_s <= 6
    assert watched.given(back_s, back_s + 0.1)["A"] == 1
    assert share_of_a(watched, back_s, back_s + 5) <= 0.3
    assert 0.38 <= share_of_a(watched, 0, BEGINS_S) <= 0.62
    assert 0.4 <= share_of_a(watched, back_s + 15, 80) <= 0.6


async def test_an_instance_that_flaps_every_five_seconds_soon_gets_probes_alone(redis: RedisClient) -> None:
    watched, ended = await run(redis, flapping(5), seed=2)
    # The first fault ejects it, the second one for longer; from the third on it gets a probe now and then.
    third_s = BEGINS_S + 20
    assert watched.given(third_s, ENDS_S)["A"] <= 5
    assert watched.failures(0, 150) <= 16
    assert all(each.succeeded for each in ended)
    assert p99_ms(ended) <= P99_MS
    # Each ejection is twice as long as the one before it.
    began_s = [at_ms / 1000 for at_ms in watched.failed_ms if at_ms >= (BEGINS_S + 10) * 1000]
    last = [began_s[-3], began_s[-2], began_s[-1]]
    assert last[2] - last[1] >= 1.8 * (last[1] - last[0]) >= 1.8 * 9
    # The traffic of the others does not swing with it.
    for from_s in range(int(third_s), int(ENDS_S), 10):
        given = watched.given(from_s, from_s + 10)
        assert 0.3 <= given["B"] / (given["B"] + given["C"]) <= 0.7
    # Once it is well for good it gets its share back.
    assert share_of_a(watched, 130, 150) >= 0.38


async def test_another_rhythm_of_flapping_does_no_more_harm(redis: RedisClient) -> None:
    watched, ended = await run(redis, flapping(7), seed=3)
    assert all(each.succeeded for each in ended)
    assert watched.failures(0, 150) <= 20
    assert share_of_a(watched, BEGINS_S + 28, ENDS_S) <= 0.1
    assert p99_ms(ended) <= P99_MS
    assert share_of_a(watched, 135, 150) >= 0.35
