"""Notices that a stage waits, and its place in line."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from dispatcher.catalogue.overload_rules import OverloadRules
from dispatcher.messages import TurnTicket
from dispatcher.pipeline import tts
from dispatcher.routing.leases import WaitingOrder
from dispatcher.routing.rules.constants import FIRST_SENTENCE_DUE_S
from tests.support.waiting import soon
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of
from tests.unit.pipeline.test_tts import speech


def pcm_ticket() -> TurnTicket:
    return ticket_of(audio_format="pcm", language="en")


async def test_the_front_is_told_once_a_second_that_a_stage_waits() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    worker.providers.scripts["a"].append([speech(1)])
    worker.router.full.add("a")
    speaking = asyncio.create_task(tts.synthesize(worker.context, pcm_ticket(), 2, "Hello there."))

    async def has_two() -> bool:
        return len(worker.redis.replies) >= 2

    await soon(has_two, what="the front was told twice")
    assert [(each.kind, each.text, each.index) for each in worker.redis.replies] == [
        ("waiting", "tts", 2)
    ] * 2
    worker.router.full.clear()
    await speaking
    assert [each.kind for each in worker.redis.replies[2:]] == ["audio"] * (len(worker.redis.replies) - 2)


async def test_the_front_is_told_nothing_where_overload_is_off() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    active = worker.router.active
    active.current = replace(active.current, overload=OverloadRules(enabled=False))
    worker.providers.scripts["a"].append([speech(1)])
    worker.router.full.add("a")
    speaking = asyncio.create_task(tts.synthesize(worker.context, pcm_ticket(), 2, "Hello there."))

    async def is_in_line() -> bool:
        return bool(worker.router.orders)

    await soon(is_in_line, what="it waits for a slot")
    worker.router.full.clear()
    await speaking
    assert {each.kind for each in worker.redis.replies} == {"audio"}


async def test_a_first_sentence_is_due_within_a_bound_and_counts_as_a_share() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    worker.providers.scripts["a"].append([speech(1)])
    await tts.synthesize(worker.context, pcm_ticket(), 0, "Hello there.")
    (order,) = worker.router.orders
    assert order.sharer == pcm_ticket().device_id
    assert order.due_ms == pytest.approx((time.time() + FIRST_SENTENCE_DUE_S) * 1000, abs=5_000)


async def test_a_later_sentence_is_due_when_those_before_it_are_played() -> None:
    worker = FakeWorker.with_instances(instance_of("tts", "a"))
    worker.providers.scripts["a"].append([speech(1)])
    await tts.synthesize(worker.context, pcm_ticket(), 1, "Hello there.", due_at_s=12.5)
    assert worker.router.orders == [WaitingOrder(due_ms=12_500)]
