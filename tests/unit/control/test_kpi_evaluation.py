"""An evaluation of the KPIs: what it makes of samples, turns and fronts, and whom it notifies once."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

from dispatcher.catalogue.model import AlertRules, Catalogue
from dispatcher.control.kpi_evaluation import HALF_OPEN_UNHEALTHY_S, KpiEvaluator, facts_of
from dispatcher.control.metrics_sampling import MetricsSample, MetricsSampler
from dispatcher.control.webhook import Webhook
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.telemetry import front_presence, kpi_store, turn_log
from dispatcher.telemetry.front_presence import FrontCounts
from tests.support.fleet import Fleet, catalogue_of, llm
from tests.unit.control.loops import HOST_SAMPLE

# An alert that fires at the first evaluation over its bound, and ends at the first below.
AT_ONCE = AlertRules(after_s=0.001, clear_after_s=0.001)
BUSY = FrontCounts(devices=70, busy=61, in_turn=61, turns_begun=61)


class Sampler:
    """Meters that stand still; the time goes on by a second with each sample."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self.at_s = time.time()

    async def sample(self) -> MetricsSample:
        self.at_s += 1
        return MetricsSample(
            at_s=self.at_s, overview=await read_overview(self._redis), host=HOST_SAMPLE, processes=()
        )


class Messages(Webhook):
    """A webhook that keeps what it was handed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []

    def send_nowait(self, rules: AlertRules, fields: Any) -> None:  # noqa: ARG002  as the real one's
        self.sent.append(dict(fields))


def evaluator_of(redis: RedisClient, webhook: Webhook | None = None) -> KpiEvaluator:
    catalogue: Catalogue = replace(catalogue_of("round_robin", [llm("A")]), alerts=AT_ONCE)
    sampler = cast("MetricsSampler", Sampler(redis))
    return KpiEvaluator(redis, lambda: catalogue, sampler, webhook or Messages())


async def recorded(redis: RedisClient) -> list[tuple[str, dict[str, Any]]]:
    entries = await redis.execute("XRANGE", keys.RECORDS, "-", "+")
    pairs = [as_text(flat) for _, flat in entries]
    return [(pair["kind"], json.loads(pair["fields"])) for pair in pairs]


def phases(sent: Sequence[dict[str, Any]]) -> list[str]:
    return [each["phase"] for each in sent if each["name"] == "devices"]


async def test_turns_fronts_and_the_host_are_evaluated_and_published(redis: RedisClient) -> None:
    await Fleet(redis).configure("round_robin", llm("A"))
    front_presence.publish(redis, "front-1", FrontCounts(devices=5, busy=2, in_turn=1, turns_begun=9))
    for outcome in (*["answered"] * 9, "apologised"):
        figures = {"first_audio_ms": 700, "llm_first_sentence_ms": 400, "tts_first_audio_ms": 200}
        turn_log.add(redis, outcome=outcome, asked=True, typed=True, figures=figures)
    snapshot = await evaluator_of(redis).evaluate()
    values = {each.kpi.name: each.kpi.value for each in snapshot.standings}
    assert (values["devices"], values["errors"], values["instances_healthy"]) == (2, 0.1, 0)
    assert (values["cpu"], values["memory"]) == (0.5, 0.25)
    assert await kpi_store.read_snapshot(redis) == snapshot


async def test_an_alert_fires_once_is_sent_and_recorded_and_ends(redis: RedisClient) -> None:
    webhook = Messages()
    evaluator = evaluator_of(redis, webhook)
    front_presence.publish(redis, "front-1", BUSY)
    for _ in range(3):
        await evaluator.evaluate()
    front_presence.publish(redis, "front-1", replace(BUSY, busy=3))
    for _ in range(3):
        await evaluator.evaluate()
    assert phases(webhook.sent) == ["firing", "resolved"]
    first = next(each for each in webhook.sent if each["name"] == "devices")
    assert (first["value"], first["bound"]) == (61, 60)
    alerts = [fields for kind, fields in await recorded(redis) if kind == "alert"]
    assert phases(alerts) == phases(webhook.sent)


async def test_a_minute_is_recorded_once_however_many_control_workers_evaluate(redis: RedisClient) -> None:
    await Fleet(redis).configure("round_robin", llm("A"))
    assert await kpi_store.try_claim_minute(redis)
    await evaluator_of(redis).evaluate()
    assert await recorded(redis) == []
    await redis.execute("DEL", keys.RECORDED)
    await evaluator_of(redis).evaluate()
    await evaluator_of(redis).evaluate()
    kept = await recorded(redis)
    assert {kind for kind, _ in kept} == {"kpi", "sample"}
    assert len([kind for kind, _ in kept if kind == "sample"]) == 1


async def test_an_ejected_instance_is_unhealthy_and_one_that_only_awaits_a_probe_is_not_for_long(
    redis: RedisClient,
) -> None:
    fleet = Fleet(redis)
    await fleet.configure("round_robin", llm("A"))

    async def unhealthy() -> Sequence[str] | None:
        sample = await Sampler(redis).sample()
        return facts_of(sample, (), {}, ()).unhealthy

    now_ms = round(time.time() * 1000)
    await fleet.set_fields("A", ejected_until_ms=now_ms + 60_000, failed_at_ms=now_ms)
    assert await unhealthy() == ("A",)
    await fleet.set_fields("A", ejected_until_ms=now_ms - 1)
    assert await unhealthy() == ("A",)
    await fleet.set_fields("A", failed_at_ms=now_ms - round(1000 * HALF_OPEN_UNHEALTHY_S) - 5_000)
    assert await unhealthy() == ()


def test_without_instances_and_fronts_nothing_is_known_of_them() -> None:
    nothing = MetricsSample(
        at_s=1.0, overview=Overview(services=(), queues={}), host=HOST_SAMPLE, processes=()
    )
    facts = facts_of(nothing, (), {}, ())
    assert (facts.unhealthy, facts.busy_devices, facts.disk_ratio) == (None, None, None)
