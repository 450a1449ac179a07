"""What is done before the end of speech, by real workers on spare slots: prompts that are read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import decisions
from dispatcher.routing.decisions import Decision
from dispatcher.routing.rules.constants import SPARE_REASON
from tests.support.instances import SENTENCES, Instances
from tests.support.stack import Stack
from tests.support.waiting import soon


@pytest.fixture(scope="module")
def ahead_stack(tmp_path_factory: pytest.TempPathFactory, running_instances: Instances) -> Iterator[Stack]:
    """A system that does ahead what it can."""
    stack = Stack(tmp_path_factory.mktemp("ahead-stack"), running_instances)
    path = Path(stack.environ["DISPATCHER_CONFIG"])
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["conversation"] |= {"prefill": True}
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with stack.running():
        yield stack


async def spare_calls(stack: Stack) -> list[Decision]:
    """Return the LLM calls on spare slots that have ended."""
    redis = RedisClient(connect(stack.broker.url))
    try:
        newest = await decisions.newest(redis, "llm")
    finally:
        await redis.close()
    return [each for each in newest if SPARE_REASON in each.reason and each.end]


async def test_a_prompt_is_read_when_the_microphone_goes_on_and_the_turn_is_as_ever(
    ahead_stack: Stack,
) -> None:
    async with ahead_stack.front.device("prefill") as device:
        await device.listen("start", mode="manual")

        async def is_read() -> bool:
            return bool(await spare_calls(ahead_stack))

        await soon(is_read, what="an LLM has read the prompt")
        answer = await device.types("and now")
    assert answer.sentences == SENTENCES
    (call,) = await spare_calls(ahead_stack)
    assert call.end is not None
    assert call.end.outcome == "ignored", "it teaches nothing"
