"""What is done before the end of speech, by real workers on spare slots: a prompt read, a turn begun."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dispatcher.dialogue_store import recent_history
from dispatcher.messages import Service
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import decisions
from dispatcher.routing.decisions import Decision
from dispatcher.routing.rules.constants import SPARE_REASON
from dispatcher.telemetry.speculation_figures import read_figures
from tests.integration.front.test_listening import QUIET, SPOKEN
from tests.support.instances import SENTENCES, TRANSCRIPT, Instances
from tests.support.stack import Stack
from tests.support.waiting import soon


@pytest.fixture(scope="module")
def ahead_stack(tmp_path_factory: pytest.TempPathFactory, running_instances: Instances) -> Iterator[Stack]:
    """A system that does ahead what it can."""
    stack = Stack(tmp_path_factory.mktemp("ahead-stack"), running_instances)
    path = Path(stack.environ["DISPATCHER_CONFIG"])
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["conversation"] |= {"prefill": True, "speculation": True}
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with stack.running():
        yield stack


async def spare_calls(stack: Stack, service: Service = "llm") -> list[Decision]:
    """Return the calls on spare slots that have ended."""
    redis = RedisClient(connect(stack.broker.url))
    try:
        newest = await decisions.newest(redis, service)
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


async def test_a_turn_begun_at_a_pause_is_silent_until_it_is_played_or_dropped(ahead_stack: Stack) -> None:
    redis = RedisClient(connect(ahead_stack.broker.url))
    async with ahead_stack.front.device("speculation") as device:
        # Its LLM has just read the prompt, so that no prefill holds a spare slot.
        await device.types("hello")
        device.new_turn()
        await device.listen("start", mode="auto")
        await device.send_packets([*SPOKEN, *QUIET[:5]])

        async def is_ready() -> bool:
            return bool(await spare_calls(ahead_stack, "tts"))

        await soon(is_ready, what="the first sentence is there")
        assert not device.of_this_turn, "nothing is shown or spoken"
        await device.send_packets([*SPOKEN, *QUIET])
        answer = await device.answer()
        assert (answer.transcript, answer.sentences) == (TRANSCRIPT, SENTENCES)

        async def is_counted() -> bool:
            found = await read_figures(redis)
            return (found.committed, found.wasted) == (1, 1)

        await soon(is_counted, what="one of two is played, and one LLM call was in vain")

        async def is_remembered() -> bool:
            return len(await recent_history.recall(redis, device.device_id)) == 4

        await soon(is_remembered, what="each exchange is remembered once")
    await redis.close()
