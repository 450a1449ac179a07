"""Memories, brought up to date by an LLM when nobody else needs it.

One device at a time, under a lease like any call, and only while a slot is free beside it; as soon as a turn
waits for one, the summary is dropped and tried again later. How long it takes says nothing of the instance,
so the slot is given back without a verdict.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any, Final

import structlog

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS
from dispatcher.catalogue.personas import MemoryRules
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.memory_prompt import as_memory, task_messages
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.errors import DispatcherError, StateError, TurnCancelled
from dispatcher.messages import REMEMBER
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.routing.overview import count_waiting, read_overview
from workers.celery import app
from workers.control.ticks import tick

log = structlog.get_logger(__name__)

# Of a tick of thirty seconds: at most half of the time, and three devices.
BUDGET_S: Final = 15.0
MOST_DEVICES: Final = 3
ONE_S: Final = 12.0
LOOK_EVERY_S: Final = 0.1
AGAIN_S: Final = 120.0


class _Written(Exception):
    """A summary is done; leaves the lease without a verdict on the instance."""


@app.task(name=REMEMBER)
@tick(REMEMBER)
def remember() -> None:
    """Bring the memories up to date that wait for it, as far as the budget goes."""
    shared = process_context()
    if shared.catalogue.conversation.memory.enabled:
        shared.run(_some(shared), timeout_s=BUDGET_S + ONE_S)


async def _some(shared: WorkerContext) -> None:
    give_up_at_s = time.monotonic() + BUDGET_S
    for _ in range(MOST_DEVICES):
        try:
            if time.monotonic() > give_up_at_s or not await _is_quiet(shared):
                return
            device_id = await memory.take_due(shared.redis)
        except StateError as error:
            log.warning("memories not looked at", reason=str(error))
            return
        if device_id is None:
            return
        await _one(shared, device_id)


async def _is_quiet(shared: WorkerContext) -> bool:
    """Return whether an LLM slot is free beside the one that a summary would take, and nobody waits."""
    if await count_waiting(shared.redis, "llm"):
        return False
    overview = await read_overview(shared.redis)
    llm = [each for each in overview.instances if each.service == "llm"]
    in_flight = sum(each.in_flight for each in llm)
    return in_flight == 0 or sum(each.cap for each in llm) - in_flight >= 2


async def _one(shared: WorkerContext, device_id: str) -> None:
    """Bring one memory up to date; what fails is tried again later."""
    try:
        async with asyncio.timeout(ONE_S):
            written = await _sum_up(shared, device_id, shared.catalogue.conversation.memory)
        log.info("memory written", device=device_id, characters=written)
    except (DispatcherError, TimeoutError) as error:
        log.info("memory put off", device=device_id, reason=type(error).__name__)
        with suppress(StateError):
            await memory.put_off(shared.redis, device_id, for_s=AGAIN_S)


async def _sum_up(shared: WorkerContext, device_id: str, rules: MemoryRules) -> int:
    """Return how many characters the new memory has."""
    known, history = await asyncio.gather(
        memory.read(shared.redis, device_id), recent_history.recall(shared.redis, device_id)
    )
    if not (known.unread and history):
        return len(known.text)
    fresh = history[-2 * known.unread :]
    asked = task_messages(known.text, fresh, max_characters=rules.max_characters)
    answer = await _unless_a_turn_waits(shared, _ask(shared, asked, most=4 * rules.max_characters))
    text = as_memory(answer, max_characters=rules.max_characters)
    await memory.write(shared.redis, device_id, text, exchanges=known.unread)
    return len(text)


async def _unless_a_turn_waits(shared: WorkerContext, asking: Coroutine[Any, Any, str]) -> str:
    """Return the answer, or drop the call as soon as a turn needs a slot.

    Raises:
        TurnCancelled: it was dropped.
    """
    tasks = (asyncio.create_task(asking), asyncio.create_task(_wait_for_a_turn(shared)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise TurnCancelled("a turn needs the slot")
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ask(shared: WorkerContext, asked: Sequence[Message], *, most: int) -> str:
    """Return an instance's answer, cut at `most` characters."""
    answer = ""
    turn_id = f"memory-{uuid.uuid4().hex}"
    with suppress(_Written):
        async with shared.router.lease("llm", turn_id=turn_id, deadline_at_s=time.time()) as lease:
            # A memory may be longer than a reply; a CJK character is about a token.
            longest = max(lease.instance.max_tokens or DEFAULT_MAX_TOKENS, most // 4)
            writer = replace(lease.instance, max_tokens=longest)
            stream = shared.providers.llm(writer).chat(writer, asked)
            async with aclosing(stream) as pieces:
                async for piece in pieces:
                    answer += piece if isinstance(piece, str) else ""
                    if len(answer) > most:
                        break
            raise _Written
    return answer


async def _wait_for_a_turn(shared: WorkerContext) -> None:
    """Return as soon as a call waits for an LLM slot."""
    while not await count_waiting(shared.redis, "llm"):  # noqa: ASYNC110  what is waited for is in Redis
        await asyncio.sleep(LOOK_EVERY_S)
