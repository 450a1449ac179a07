"""The broker restarts while devices talk: turns wait for it, and are answered."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace

import pytest
from redis import Redis

from tests.support.instances import SENTENCES
from tests.support.stack import Stack


@pytest.fixture
async def patient(stack: Stack) -> AsyncGenerator[Stack]:
    """A stack that gives a stage the ten seconds of every deployment: what is slow here is a busy machine."""
    own = stack.own_catalogue
    rules = replace(own.conversation, stage_timeout_s=10.0)
    await stack.activate(replace(own, conversation=rules))
    yield stack
    await stack.activate(own)


@pytest.fixture
def keeping(patient: Stack) -> Iterator[Stack]:
    """A stack whose broker keeps what it has over one orderly restart, as that of `dispatcher up` does."""
    stack = patient
    with Redis.from_url(stack.broker.url) as client:
        client.config_set("save", "3600 1")
    yield stack
    (stack.folder / "dump.rdb").unlink(missing_ok=True)


def restart(stack: Stack) -> None:
    stack.broker.send_signal(signal.SIGTERM)
    stack.broker.ends()
    stack.broker.start()


async def test_a_turn_that_begins_while_the_broker_is_away_is_answered_when_it_is_back(
    patient: Stack,
) -> None:
    stack = patient
    async with stack.front.device("in-between") as device:
        assert (await device.types("all well?")).sentences == SENTENCES
        stack.broker.kill()
        await device.begins_to_type("anyone?")
        stack.broker.start()
        assert (await device.answer()).sentences == SENTENCES


@pytest.mark.parametrize("heard", ["stt", "tts"])
async def test_a_turn_under_way_is_answered_over_a_restart_of_the_broker(keeping: Stack, heard: str) -> None:
    """Restarted when the transcript is there and the LLM writes, and when the first sentence is spoken."""
    async with keeping.front.device(f"under-way-{heard}") as device:
        await device.begins_to_say()
        if heard == "stt":
            await device.hears(type="stt")
        else:
            await device.hears(type="tts", state="sentence_start")
        restart(keeping)
        assert (await device.answer()).sentences == SENTENCES
        assert (await device.says()).sentences == SENTENCES
