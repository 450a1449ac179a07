"""What calls, checks, turns and fronts leave behind for the figures, in a real Valkey."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from dispatcher.catalogue.kpi_targets import KpiTargets
from dispatcher.catalogue.model import HealthRules
from dispatcher.host_metrics.host import HostSample
from dispatcher.host_metrics.process import ProcessSample
from dispatcher.kpis.alert_rules import Alert
from dispatcher.kpis.kpi_rules import KpiFacts, evaluate_kpis
from dispatcher.kpis.shares import ShareWindow
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table as fleets
from dispatcher.routing import leases
from dispatcher.routing.overview import InstanceView, read_overview
from dispatcher.telemetry import front_presence, kpi_store, metric_samples, turn_log
from dispatcher.telemetry.front_presence import FrontCounts
from dispatcher.telemetry.kpi_store import KpiSnapshot, KpiStatus
from tests.support.fleet import Fleet, llm

BOX = HostSample(
    cpu_ratio=0.5,
    memory_ratio=0.25,
    network_ratio=None,
    network_bytes_per_s=10.0,
    cores=2.0,
    memory_bytes=10**9,
)


async def seen(redis: RedisClient) -> InstanceView:
    """Return what the overview says of the one instance."""
    (view,) = (await read_overview(redis)).instances
    return view


async def test_mean_and_p95_are_those_of_the_last_hundred_calls(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    assert (await seen(redis)).latency_p95_ms is None
    await fleet.call_ends("A", "ok", times=20, latency_ms=99_999_999)
    for latency_ms in range(1, 101):
        await fleet.call_ends("A", "ok", latency_ms=latency_ms + 0.4)
    view = await seen(redis)
    assert (view.calls, view.latency_mean_ms, view.latency_p95_ms) == (120, 50.5, 95)
    assert len((await fleet.fields("A"))["response_times"]) == 700


async def test_failures_are_no_response_times(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    await fleet.call_ends("A", "ok", latency_ms=400)
    await fleet.call_ends("A", "failed", times=2, latency_ms=5)
    assert (await seen(redis)).latency_mean_ms == 400


async def test_errors_are_counted_by_whose_fault_they_are_also_where_they_teach_nothing(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"))
    await leases.finish(redis, await fleet.pick(), outcome="failed", latency_ms=1, origin="theirs")
    for _ in range(2):
        await leases.finish(redis, await fleet.pick(), outcome="ignored", latency_ms=1, origin="ours")
    await leases.finish(redis, await fleet.pick(), outcome="ignored", latency_ms=1, origin="caller")
    await leases.finish(redis, await fleet.pick(), outcome="ignored", latency_ms=1)
    view = await seen(redis)
    assert (view.errors_theirs, view.errors_ours, view.errors_caller, view.calls) == (1, 2, 1, 5)
    assert view.failures == 1


async def test_failed_calls_that_come_close_together_are_one_fault(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin", llm("A"))
    assert (await seen(redis)).fault_began_at_s is None
    await fleet.call_ends("A", "failed")
    await fleet.set_fields("A", fault_began_ms=1, fault_at_ms=round(time.time() * 1000) - 50_000)
    await fleet.call_ends("A", "failed")
    assert (await fleet.fields("A"))["fault_began_ms"] == "1"
    await fleet.set_fields("A", fault_at_ms=round(time.time() * 1000) - 70_000)
    await fleet.call_ends("A", "failed")
    view = await seen(redis)
    assert view.fault_began_at_s == view.fault_at_s == pytest.approx(time.time(), abs=30)


async def test_what_an_instance_reports_steers_and_what_it_stops_to_report_is_unknown(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("resource_based", llm("A"))
    rules = HealthRules()
    await fleets.note_check(redis, llm("A"), reason="", rules=rules, cpu_ratio=0.75, memory_ratio=0.0)
    view = await seen(redis)
    assert (view.cpu_ratio, view.memory_ratio) == (0.75, 0.0)
    # 0.30 CPU + 0.25 memory + 0.20 in flight of those four that are known, errors included.
    assert f"A {0.75 * 0.30 / 0.85:.3g}" in (await fleet.pick()).reason
    await fleets.note_check(redis, llm("A"), reason="down", rules=rules)
    view = await seen(redis)
    assert (view.cpu_ratio, view.memory_ratio) == (None, None)


async def test_a_check_of_an_instance_that_left_keeps_no_report(fleet: Fleet, redis: RedisClient) -> None:
    await fleet.configure("round_robin")
    await fleets.note_check(redis, llm("A"), reason="", rules=HealthRules(), cpu_ratio=0.5)
    assert await fleet.fields("A") == {}


async def test_turns_are_told_with_the_time_of_their_instances_and_the_list_is_bounded(
    redis: RedisClient,
) -> None:
    figures: dict[str, str | float] = {
        "first_audio_ms": 900,
        "asr_ms": 200,
        "llm_first_sentence_ms": 300,
        "tts_first_audio_ms": 100,
        "llm_instance": "llm-1",
        "played_ms": 5000,
    }
    turn_log.add(redis, outcome="answered", asked=True, typed=False, figures=figures)
    del figures["asr_ms"]
    turn_log.add(redis, outcome="answered", asked=True, typed=True, figures=figures)
    turn_log.add(redis, outcome="apologised", asked=True, typed=False, figures={})
    apology, typed, spoken = await turn_log.read_since(redis, time.time() - 60)
    assert spoken.first_audio_s == typed.first_audio_s == 0.9
    assert spoken.instances_s == pytest.approx(0.6)
    assert typed.instances_s == pytest.approx(0.4)
    assert (apology.outcome, apology.first_audio_s, apology.instances_s) == ("apologised", None, None)
    assert await turn_log.read_since(redis, time.time() + 60) == []
    for _ in range(turn_log.TURNS_KEPT):
        turn_log.add(redis, outcome="answered", asked=True, typed=True, figures={})
    assert await redis.execute("LLEN", keys.TURNS) == turn_log.TURNS_KEPT


async def test_the_silence_before_a_turn_is_kept(redis: RedisClient) -> None:
    figures = {"turn": "2f9edb", "first_audio_ms": 880.0, "silence_ms": 704}
    turn_log.add(redis, outcome="answered", asked=True, typed=False, figures=figures)
    (facts,) = await turn_log.read_since(redis, time.time() - 60)
    assert (facts.first_audio_s, facts.silence_s) == (0.88, 0.704)
    end = await turn_log.read_end(redis, "2f9edb")
    assert end is not None
    assert (end.first_audio_ms, end.silence_ms) == (880.0, 704)


async def test_words_are_kept_where_they_are_given_and_never_whole_books(redis: RedisClient) -> None:
    figures = {"turn": "2f9edb", "reason": "none"}
    turn_log.add(redis, outcome="answered", asked=True, typed=False, figures=figures)
    silent = await turn_log.read_end(redis, "2f9edb")
    assert silent is not None
    assert (silent.said, silent.answered) == ("", "")
    words = ("<b>When?</b>", "Soon. " * 1_000)
    turn_log.add(redis, outcome="answered", asked=True, typed=False, figures=figures, words=words)
    told = await turn_log.read_end(redis, "2f9edb")
    assert told is not None
    assert (told.said, len(told.answered)) == ("<b>When?</b>", turn_log.MAX_WORDS_CHARACTERS)


async def test_the_last_turn_of_a_device_is_found_with_why_it_ended(redis: RedisClient) -> None:
    turn_log.add(
        redis,
        outcome="apologised",
        asked=True,
        typed=False,
        figures={"turn": "2f9edb", "device": "aa", "reason": "no llm instance"},
    )
    assert await turn_log.read_last_end(redis, "bb", since_s=0) is None
    last = await turn_log.read_last_end(redis, "aa", since_s=time.time() - 60)
    assert last is not None
    assert (last.outcome, last.reason, last.turn_id) == ("apologised", "no llm instance", "2f9edb")
    assert await turn_log.read_last_end(redis, "aa", since_s=time.time() + 60) is None


async def test_a_front_that_is_silent_is_no_longer_counted(redis: RedisClient) -> None:
    counts = FrontCounts(devices=7, busy=3, in_turn=2, turns_begun=40)
    front_presence.publish(redis, "front-a", counts)
    front_presence.publish(redis, "front-b", replace(counts, devices=1))
    assert await front_presence.read_fronts(redis) == {
        "front-a": counts,
        "front-b": replace(counts, devices=1),
    }
    assert 0 < await redis.execute("TTL", keys.front("front-a")) <= front_presence.FRONT_TTL_S
    await redis.execute("DEL", keys.front("front-a"))
    assert list(await front_presence.read_fronts(redis)) == ["front-b"]
    await redis.execute("ZADD", keys.FRONTS, time.time() - 2 * front_presence.PRESENCE_TTL_S, "front-a")
    await front_presence.read_fronts(redis)
    assert await redis.execute("ZRANGE", keys.FRONTS, 0, -1) == [b"front-b"]


async def test_samples_of_instances_and_box_are_bounded_and_newest_first(
    fleet: Fleet, redis: RedisClient
) -> None:
    await fleet.configure("round_robin", llm("A"))
    overview = await read_overview(redis)
    for at_s in range(metric_samples.SAMPLES_KEPT + 5):
        metric_samples.add_instances(redis, overview, at_s=at_s)
        metric_samples.add_host(redis, "a-box", BOX, at_s=at_s)
    of_instance = await metric_samples.of_instance(redis, "llm", "A")
    of_box = await metric_samples.of_host(redis, "a-box")
    assert len(of_instance) == len(of_box) == metric_samples.SAMPLES_KEPT
    assert (of_instance[0]["at_s"], of_instance[0]["cpu_ratio"], of_instance[0]["state"]) == (
        104,
        None,
        "ready",
    )
    assert (of_box[0]["at_s"], of_box[0]["cpu_ratio"], of_box[0]["network_ratio"]) == (104, 0.5, None)
    assert await redis.execute("TTL", keys.samples("llm", "A")) > 0


async def test_a_board_is_read_as_it_was_published_and_its_alerts_outlive_it(redis: RedisClient) -> None:
    assert await kpi_store.read_snapshot(redis) is None
    figures = evaluate_kpis(KpiFacts(now_s=5.0, cpu_ratio=0.95), KpiTargets())
    firing = Alert(phase="firing", since_s=3.0, calm_since_s=4.0)
    process = ProcessSample(pid=1, name="front", cpu_ratio=None, memory_bytes=5)
    board = KpiSnapshot(
        judged_at_s=5.0,
        host="a-box",
        standings=tuple(KpiStatus(kpi=kpi, alert=firing) for kpi in figures),
        box=BOX,
        processes=(process,),
    )
    await kpi_store.publish(redis, board)
    assert await kpi_store.read_snapshot(redis) == board
    assert 0 < await redis.execute("TTL", keys.KPIS) <= kpi_store.KPIS_TTL_S
    await redis.execute("DEL", keys.KPIS)
    assert (await kpi_store.read_alerts(redis))["cpu"] == firing


async def test_what_another_version_wrote_counts_as_not_there(redis: RedisClient) -> None:
    await redis.execute("HSET", keys.KPIS, "board", '{"of": "another version"}')
    await redis.execute("HSET", keys.ALERTS, "cpu", "{}", "memory", "nonsense")
    assert await kpi_store.read_snapshot(redis) is None
    assert await kpi_store.read_alerts(redis) == {"cpu": Alert()}


async def test_windows_of_groups_that_are_gone_are_dropped(redis: RedisClient) -> None:
    one = ShareWindow(group="llm high", judged=True, signature="s", began_with={"A": 5}, deviation=0.1)
    await kpi_store.keep_windows(redis, [one, replace(one, group="tts high")])
    await kpi_store.keep_windows(redis, [one])
    assert await kpi_store.read_windows(redis) == {"llm high": one}
    await kpi_store.keep_windows(redis, [])
    assert await kpi_store.read_windows(redis) == {}
