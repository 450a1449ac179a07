"""Prompts that are read ahead: the request, where it goes, and what it teaches."""

from __future__ import annotations

from dataclasses import replace

from dispatcher.catalogue.conversation import PrefillRules
from dispatcher.errors import InstanceFailed
from dispatcher.pipeline.prefill import PLACEHOLDER, prefill
from dispatcher.tools.model import PromptUsage
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

PROMPT = "You are kind."


def worker_with(*, key: str | None = None) -> FakeWorker:
    """Return a worker with one LLM instance whose prompt is known."""
    worker = FakeWorker.with_instances(replace(instance_of("llm", "a"), api_key_env=key))
    catalogue = worker.context.catalogue
    rules = replace(catalogue.conversation, system_prompt=PROMPT, prefill=PrefillRules())
    worker.router.active.current = replace(catalogue, conversation=rules)
    return worker


async def test_an_instance_reads_the_prompt_up_to_the_users_words_and_writes_one_token() -> None:
    worker = worker_with()
    worker.providers.scripts["a"].append(["Yes", PromptUsage(tokens=700, cached=0)])
    await prefill(worker.context, ticket_of())
    ((_, messages),) = worker.providers.asked
    assert (messages[0].role, messages[0].content) == ("system", PROMPT)
    assert (messages[-1].role, messages[-1].content.startswith(PLACEHOLDER)) == ("user", True)
    assert worker.router.dialogues == ["a-device"]
    assert worker.router.spare == ["a"]


async def test_nothing_is_sent_to_the_front_and_nothing_is_learned() -> None:
    worker = worker_with()
    worker.providers.scripts["a"].append(["Yes"])
    await prefill(worker.context, ticket_of())
    assert worker.redis.replies == []
    assert worker.router.outcomes == [("a", "ignored")]


async def test_an_instance_that_fails_it_is_not_blamed() -> None:
    worker = worker_with()
    worker.providers.scripts["a"].append([InstanceFailed("a", "HTTP 500")])
    await prefill(worker.context, ticket_of())
    assert worker.router.outcomes == [("a", "ignored")]
    assert worker.redis.replies == []


async def test_no_slot_is_waited_for() -> None:
    worker = worker_with()
    worker.router.full.add("a")
    await prefill(worker.context, ticket_of())
    assert worker.providers.asked == []


async def test_an_instance_with_a_key_reads_nothing_ahead_unless_asked() -> None:
    worker = worker_with(key="SOME_KEY")
    await prefill(worker.context, ticket_of())
    assert worker.providers.asked == []
    catalogue = worker.context.catalogue
    paid = replace(catalogue.conversation, prefill=PrefillRules(paid=True))
    worker.router.active.current = replace(catalogue, conversation=paid)
    worker.providers.scripts["a"].append(["Yes"])
    await prefill(worker.context, ticket_of())
    assert len(worker.providers.asked) == 1
