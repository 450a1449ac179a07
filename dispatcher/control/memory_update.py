"""Update of memories by an LLM when nobody else needs it.

One device at a time, under a lease like any call, and only while a slot is free beside it; as soon as a turn
waits for one, the summary is dropped and tried again later. How long it takes says nothing of the instance,
so the slot is given back without a verdict.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS, Catalogue
from dispatcher.control.overload_status import read_overload
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.memory_prompt import as_memory, task_messages
from dispatcher.dialogue_store import memory, recent_history
from dispatcher.errors import DispatcherError, StateError, TurnCancelled
from dispatcher.pipeline.usage_metering import metered_chat
from dispatcher.providers.registry import Providers
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.call_usage import Payer
from dispatcher.routing.overview import count_waiting, read_overview
from dispatcher.routing.router import Router
from dispatcher.routing.rules.overload import OverloadStep

log = structlog.get_logger(__name__)

# Of a tick of thirty seconds: at most half of the time, and three devices.
UPDATE_BUDGET_S: Final = 15.0
MAX_DEVICES: Final = 3
SUMMARY_TIMEOUT_S: Final = 12.0
WAITING_POLL_INTERVAL_S: Final = 0.1
RETRY_AFTER_S: Final = 120.0


class _SummaryDone(Exception):
    """A summary is done; leaves the lease without a verdict on the instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUpdater:
    """The updates of one control worker.

    Attributes:
        catalogue: returns the active one.
    """

    redis: RedisClient
    router: Router
    providers: Providers
    catalogue: Callable[[], Catalogue]

    async def update_due(self) -> None:
        """Update the memories that wait for it, as far as the budget goes."""
        if not self.catalogue().conversation.memory.enabled:
            return
        give_up_at_s = time.monotonic() + UPDATE_BUDGET_S
        for _ in range(MAX_DEVICES):
            try:
                if time.monotonic() > give_up_at_s or not await leaves_free_slot(self.redis):
                    return
                if (await read_overload(self.redis)).step >= OverloadStep.NO_EXTRAS:
                    return
                device_id = await memory.take_due(self.redis)
            except StateError as error:
                log.warning("memories not read", reason=str(error))
                return
            if device_id is None:
                return
            await self._update(device_id)

    async def _update(self, device_id: str) -> None:
        """Update one memory; one that fails is tried again later."""
        try:
            async with asyncio.timeout(SUMMARY_TIMEOUT_S):
                characters = await self._summarise(device_id)
            log.info("memory written", device=device_id, characters=characters)
        except (DispatcherError, TimeoutError) as error:
            log.info("memory put off", device=device_id, reason=type(error).__name__)
            with suppress(StateError):
                await memory.put_off(self.redis, device_id, for_s=RETRY_AFTER_S)

    async def _summarise(self, device_id: str) -> int:
        """Return how many characters the new memory has."""
        max_characters = self.catalogue().conversation.memory.max_characters
        known, history = await asyncio.gather(
            memory.read(self.redis, device_id), recent_history.recall(self.redis, device_id)
        )
        if not (known.unread and history):
            return len(known.text)
        fresh = history[-2 * known.unread :]
        prompt = task_messages(known.text, fresh, max_characters=max_characters)
        answer = await unless_turn_waits(
            self.redis, self._ask(device_id, prompt, max_characters=4 * max_characters)
        )
        text = as_memory(answer, max_characters=max_characters)
        await memory.write(self.redis, device_id, text, exchanges=known.unread)
        return len(text)

    async def _ask(self, device_id: str, prompt: Sequence[Message], *, max_characters: int) -> str:
        """Return an instance's answer, cut."""
        answer = ""
        turn_id = f"memory-{uuid.uuid4().hex}"
        with suppress(_SummaryDone):
            payer = Payer(device_id=device_id)
            async with self.router.lease(
                "llm", turn_id=turn_id, deadline_at_s=time.time(), payer=payer
            ) as lease:
                # A memory may be longer than a reply; a CJK character is about a token.
                max_tokens = max(lease.instance.max_tokens or DEFAULT_MAX_TOKENS, max_characters // 4)
                instance = replace(lease.instance, max_tokens=max_tokens)
                stream = self.providers.llm(instance).chat(instance, prompt)
                async with aclosing(metered_chat(stream, lease.usage, prompt)) as pieces:
                    async for piece in pieces:
                        answer += piece if isinstance(piece, str) else ""
                        if len(answer) > max_characters:
                            break
                raise _SummaryDone
        return answer


async def leaves_free_slot(redis: RedisClient) -> bool:
    """Return whether an LLM slot is free beside the one that a summary would take, and nobody waits.

    Raises:
        StateError: Redis is out of reach.
    """
    if await count_waiting(redis, "llm"):
        return False
    overview = await read_overview(redis)
    llm = [each for each in overview.instances if each.service == "llm"]
    in_flight = sum(each.in_flight for each in llm)
    return in_flight == 0 or sum(each.cap for each in llm) - in_flight >= 2


async def unless_turn_waits(redis: RedisClient, call: Coroutine[Any, Any, str]) -> str:
    """Return the answer of a call, or drop the call as soon as a turn needs a slot.

    Raises:
        TurnCancelled: it was dropped.
    """
    tasks = (asyncio.create_task(call), asyncio.create_task(_poll_waiting(redis)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise TurnCancelled("a turn needs the slot")
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _poll_waiting(redis: RedisClient) -> None:
    """Return as soon as a call waits for an LLM slot."""
    while not await count_waiting(redis, "llm"):  # noqa: ASYNC110  what is waited for is in Redis
        await asyncio.sleep(WAITING_POLL_INTERVAL_S)
