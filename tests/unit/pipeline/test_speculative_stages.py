"""Stages of a turn that began at a pause: on spare slots, one sentence, no tool, until it is committed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Final

import pytest

from dispatcher.catalogue.conversation import SpeculationRules
from dispatcher.errors import NoInstanceAvailable
from dispatcher.messages import TurnTicket
from dispatcher.pipeline.llm import respond
from dispatcher.routing.spare_slots import SPARE_ORDER
from dispatcher.tools.model import ToolCall
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

ANSWER: Final = ["The first sentence is about the weather. ", "The second sentence is about the sea."]
SENTENCES: Final = [each.strip() for each in ANSWER]
# Of virtual time, in which a stage does all that it may.
LONG_S: Final = 5.0


def speculative() -> TurnTicket:
    return ticket_of(text="Count", language="en", speculative=True)


def spoken(worker: FakeWorker) -> list[str]:
    return [text for kind, text in worker.redis.said if kind == "sentence"]


def paid_worker(*, is_allowed: bool) -> FakeWorker:
    """Return a worker whose one LLM costs money, and may be asked ahead or not."""
    worker = FakeWorker.with_instances(replace(instance_of("llm", "a"), api_key_env="SOME_KEY"))
    catalogue = worker.context.catalogue
    rules = replace(catalogue.conversation, speculation=SpeculationRules(paid=is_allowed))
    worker.router.active.current = replace(catalogue, conversation=rules)
    worker.providers.scripts["a"].append(ANSWER[:1])
    return worker


async def test_one_sentence_is_spoken_and_the_others_once_it_read_commitment() -> None:
    worker = FakeWorker.with_instances(instance_of("llm", "a"))
    worker.providers.scripts["a"].append(ANSWER)
    writing = asyncio.create_task(respond(worker.context, speculative()))
    await asyncio.sleep(LONG_S)
    assert spoken(worker) == SENTENCES[:1]
    assert worker.router.spare == ["a"]
    worker.redis.answers["EXISTS"] = 1
    await writing
    assert spoken(worker) == SENTENCES
    assert ["speculative" in json.dumps(json.loads(body)) for _, body in worker.redis.pushed] == [True, False]


async def test_no_tool_is_called_before_it_read_commitment() -> None:
    worker = FakeWorker.with_instances(instance_of("llm", "a"))
    worker.providers.scripts["a"] += [[ToolCall(id="1", name="no_such_tool", arguments="{}")], ANSWER[:1]]
    writing = asyncio.create_task(respond(worker.context, speculative()))
    await asyncio.sleep(LONG_S)
    assert len(worker.providers.asked) == 1
    worker.redis.answers["EXISTS"] = 1
    await writing
    assert spoken(worker) == SENTENCES[:1]
    assert [order is SPARE_ORDER for order in worker.router.orders] == [True, False]


async def test_no_slot_is_waited_for() -> None:
    worker = FakeWorker.with_instances(instance_of("llm", "a"))
    worker.router.full.add("a")
    with pytest.raises(NoInstanceAvailable):
        await respond(worker.context, speculative())


async def test_an_instance_with_a_key_is_asked_only_where_the_yaml_says_so() -> None:
    with pytest.raises(NoInstanceAvailable):
        await respond(paid_worker(is_allowed=False).context, speculative())
    worker = paid_worker(is_allowed=True)
    await respond(worker.context, speculative())
    assert spoken(worker) == SENTENCES[:1]


async def test_what_is_wasted_is_counted_as_usage_of_its_device() -> None:
    worker = FakeWorker.with_instances(instance_of("llm", "a"))
    worker.providers.scripts["a"].append(ANSWER)
    writing = asyncio.create_task(respond(worker.context, speculative()))
    await asyncio.sleep(LONG_S)
    writing.cancel()
    await asyncio.wait([writing])
    ((_, usage),) = worker.router.usages
    assert usage.payer.device_id == "a-device"
    assert usage.amounts["completion_tokens"] > 0
    assert worker.router.held["a"] == 0, "the slot is free"
