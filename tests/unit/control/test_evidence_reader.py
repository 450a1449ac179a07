"""Evidence of the tuner, read from what turns, calls, fronts and instances left in Redis."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from dispatcher.catalogue.model import PhraseRules
from dispatcher.control.evidence_reader import read_evidence, read_phrases
from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.control.rules.evidence import TunerEvidence
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.telemetry import front_presence, kpi_store, turn_log
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot
from tests.support.fleet import Fleet, catalogue_of, llm
from tests.unit.control.loops import HOST_SAMPLE

REMOTE = replace(llm("remote"), endpoint="https://api.example/v1")
CATALOGUE = catalogue_of("round_robin", [llm("local"), REMOTE])


async def evidence(redis: RedisClient, overrides: RuntimeOverrides | None = None) -> TunerEvidence:
    given = overrides or RuntimeOverrides()
    return await read_evidence(redis, CATALOGUE, given, now_s=time.time(), window_s=60)


async def test_nothing_measured_is_nothing_known(redis: RedisClient) -> None:
    await Fleet(redis).configure("round_robin", *CATALOGUE.services["llm"].instances)
    found = await evidence(redis)
    measures = found.measures
    assert (measures.errors, measures.memory, measures.response, measures.cpu) == (None, None, None, None)
    assert (found.calls, found.devices) == (0, None)


async def test_the_worst_of_failed_calls_and_failed_turns_is_the_share_of_errors(redis: RedisClient) -> None:
    fleet = Fleet(redis)
    await fleet.configure("round_robin", *CATALOGUE.services["llm"].instances)
    for outcome in ("failed", "ok", "ok", "ok"):
        await fleet.finish(await fleet.pick(), outcome)
    turn_log.add(redis, outcome="answered", asked=True, typed=True, figures={"first_audio_ms": 700})
    found = await evidence(redis)
    assert found.measures.errors == 0.25
    assert found.measures.response == 700
    assert found.calls == 4
    assert sorted(each.error_ratio or 0 for each in found.instances) in ([0, 0.5], [0, 1.0])


async def test_only_instances_of_this_host_load_it(redis: RedisClient) -> None:
    fleet = Fleet(redis)
    await fleet.configure("round_robin", *CATALOGUE.services["llm"].instances)
    await fleet.set_fields("local", cap_limit="3", priority_override="low")
    local, remote = (await evidence(redis)).instances
    assert (local.is_local, remote.is_local) == (True, False)
    assert (local.cap, local.cap_limit, remote.cap_limit) == (10, 3, None)
    assert (local.priority_override, remote.priority_override) == ("low", None)


async def test_the_host_and_the_fronts_are_as_they_were_published_last(redis: RedisClient) -> None:
    await Fleet(redis).configure("round_robin")
    front_presence.publish(redis, "a", FrontCounts(devices=7, busy=3, in_turn=2, turns_begun=40))
    front_presence.publish(redis, "b", FrontCounts(devices=9, busy=1, in_turn=1, turns_begun=4))
    board = KpiSnapshot(judged_at_s=0.0, host="h", standings=(), box=HOST_SAMPLE, processes=())
    await kpi_store.publish(redis, board)
    found = await evidence(redis, RuntimeOverrides(max_devices=30, extra_workers={"llm": 1}))
    assert (found.measures.cpu, found.measures.memory) == (0.5, 0.25)
    assert (found.devices, found.device_limit, found.extra_workers) == (9, 30, (("llm", 1),))


async def test_the_phrase_cache_tells_its_room_and_what_its_hits_were_worth(redis: RedisClient) -> None:
    on = replace(CATALOGUE, phrase_cache=PhraseRules(max_mb=8.0))
    figures = {"bytes": 2_000_000, "saved_ms": 50_000, "saved_ms_at_ms": time.time() * 1000}
    recent = {"evicted_bytes": 100, "evicted_bytes_at_ms": time.time() * 1000}
    for name, value in {**figures, **recent}.items():
        await redis.execute("HSET", keys.phrases("figures"), name, value)
    overrides = RuntimeOverrides(phrase_cache_extra_mb=16.0)
    phrases = await read_phrases(redis, on, overrides)
    assert phrases is not None
    assert (phrases.max_mb, phrases.extra_mb, phrases.used_mb) == (8.0, 16.0, 2.0)
    assert phrases.saved_s_per_mb == pytest.approx(25, rel=0.05)
    assert phrases.evicted_mb == 0
    assert await read_phrases(redis, CATALOGUE, overrides) is None
