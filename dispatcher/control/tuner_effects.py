"""Effects of the tuner's actions: one function for each `Effect` of the table of kinds.

Each sets the changes of an action as they are; undo hands it the same changes backwards.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from dispatcher.control import speech_cache
from dispatcher.control.added_instances import like_of
from dispatcher.control.instance_control import hook_words, read_added, read_offer, run_hook
from dispatcher.control.overrides import added_instance_name, read_overrides, set_override
from dispatcher.control.rules.actions import KINDS, Action, Change, Effect, Kind, Setting
from dispatcher.control.worker_control import WorkerControl
from dispatcher.dialogue_store import phrase_cache
from dispatcher.errors import ActionRefused, StateError
from dispatcher.messages import KEEP_RECORDS, SERVICES
from dispatcher.records import is_installed
from dispatcher.redis_client.client import RedisClient, cache_client
from dispatcher.routing import instance_table
from dispatcher.routing.published import read_fleets
from dispatcher.settings import load_settings

NO_PHRASES: Final = "no phrase cache is kept, or its Redis is out of reach"
NO_PHRASE_KINDS: Final[tuple[tuple[Kind, str], ...]] = (
    ("cache_size", NO_PHRASES),
    ("clear_phrases", NO_PHRASES),
)
NO_RECORDS: Final = "no records are kept here"
# Calls of an instance that is to end; the control worker takes it out within two seconds.
WITHDRAW_TIMEOUT_S: Final = 15.0
WITHDRAW_POLL_INTERVAL_S: Final = 0.5

EffectFunction: TypeAlias = Callable[[RedisClient, WorkerControl, Action], Awaitable[None]]


async def apply(redis: RedisClient, workers: WorkerControl, action: Action) -> None:
    """Take an action.

    Raises:
        ActionRefused: it cannot act here and now; nothing was changed that its inverse would not mend.
        StateError: Redis is out of reach.
    """
    await EFFECTS[KINDS[action.kind].effect](redis, workers, action)


def missing_kinds() -> tuple[tuple[str, str], ...]:
    """Return the kinds of action that cannot act in this process, with the reason."""
    reasons: tuple[tuple[Kind, str], ...] = (
        ("records", "" if is_installed() else NO_RECORDS),
        ("clear_cache", "" if speech_cache.address() else speech_cache.NO_ADDRESS),
    )
    return tuple((kind, reason) for kind, reason in reasons if reason)


async def _set_instance_fields(redis: RedisClient, __: WorkerControl, action: Action) -> None:
    """Set a field that the pick script reads at the next call; calls under way end in peace."""
    field = KINDS[action.kind].setting
    for change in action.changes:
        target, _, name = change.what.partition("/")
        value = "" if change.after is None else str(change.after)
        service = next((each for each in SERVICES if each == target), None)
        if service is None or not await instance_table.set_field(
            redis, service, name, field=field, value=value
        ):
            raise ActionRefused(f"{change.what} left the catalogue")


async def _set_overrides(redis: RedisClient, _: WorkerControl, action: Action) -> None:
    """Set overrides that fronts and supervisor poll once a second."""
    for change in action.changes:
        await set_override(redis, KINDS[action.kind].setting.format(change.what), change.after)


async def _restart_worker(_: RedisClient, workers: WorkerControl, action: Action) -> None:
    """End one worker; proposed only where another one serves its queue, or a supervisor starts it again."""
    if action.target not in {worker.name for worker in await asyncio.to_thread(workers.read_workers)}:
        raise ActionRefused(f"{action.target} does not answer")
    await asyncio.to_thread(workers.stop_worker, action.target)


async def _send_upkeep(_: RedisClient, workers: WorkerControl, __: Action) -> None:
    """Send the task that prunes and optimises, now instead of within the hour."""
    if not is_installed():
        raise ActionRefused(NO_RECORDS)
    await asyncio.to_thread(workers.send_task, KEEP_RECORDS)


async def _clear_cache(_: RedisClient, __: WorkerControl, ___: Action) -> None:
    """Have nginx remove the speech that it keeps."""
    await speech_cache.clear(speech_cache.address())


async def _clear_phrases(redis: RedisClient, __: WorkerControl, ___: Action) -> None:
    """Remove all phrases; those that are wanted are made again."""
    cache = cache_client(load_settings(), redis)
    try:
        await phrase_cache.clear(cache)
    except StateError as error:
        raise ActionRefused(f"the phrase cache is out of reach: {error}") from error
    finally:
        if cache is not redis:
            await cache.close()


async def _operate(redis: RedisClient, workers: WorkerControl, action: Action) -> None:
    """Leave an action on instances to the supervisor that keeps them, else to the operator's hook."""
    offer = await read_offer(redis)
    if offer is None or not offer.covers(action.kind, action.target):
        await _ask_hook(redis, action)
    elif action.changes:
        await _set_overrides(redis, workers, action)
    else:
        await set_override(redis, KINDS[action.kind].setting.format(action.target), 1)


async def _ask_hook(redis: RedisClient, action: Action) -> None:
    """Run the hook; further instances that it names get calls, and those that are to end get none before."""
    words = hook_words(action)
    if action.kind != "instance":
        await run_hook(load_settings().tuner_hook, words)
        return
    if not action.upwards:
        await _withdraw(redis, action.target)
    answer = await run_hook(load_settings().tuner_hook, words)
    running = frozenset(f"{each.service}/{name}" for each in await read_fleets(redis) for name in each.names)
    for name, endpoint in read_added(answer, action.target, running).items():
        await set_override(redis, added_instance_name(name), endpoint)


async def _withdraw(redis: RedisClient, service: str) -> None:
    """Take the further instances of a service out, and wait until their calls are over, for a while."""
    known = {name for each in await read_fleets(redis) if each.service == service for name in each.names}
    added = {name for name in (await read_overrides(redis)).added_instances if like_of(name) in known}
    for name in added:
        await set_override(redis, added_instance_name(name), None)
    deadline_s = time.monotonic() + WITHDRAW_TIMEOUT_S
    while added and time.monotonic() < deadline_s:
        await asyncio.sleep(WITHDRAW_POLL_INTERVAL_S)
        known = {name for each in await read_fleets(redis) for name in (*each.names, *each.leaving)}
        added &= known


async def _resize_pools(_: RedisClient, workers: WorkerControl, action: Action) -> None:
    """Grow or shrink the pools of a queue, evenly over its workers."""
    for change in action.changes:
        await asyncio.to_thread(resize_queue, workers, change)


def resize_queue(control: WorkerControl, change: Change) -> None:
    """Move the pools of a queue to a size, checked by what its workers answer afterwards.

    Raises:
        ActionRefused: no worker of it answers, one refuses, or the pools did not move.
    """
    workers = [each for each in control.read_workers() if each.queue == change.what]
    if not workers:
        raise ActionRefused(f"no worker of queue {change.what} answers")
    before = sum(each.pool for each in workers)
    by = _difference(change, now=before)
    if not by:
        return
    each_by, more = divmod(abs(by), len(workers))
    for position, worker in enumerate(workers):
        # The first ones move one further where it does not divide.
        if share := each_by + (position < more):
            control.resize_pool(worker.name, share if by > 0 else -share)
    after = sum(each.pool for each in control.read_workers() if each.queue == change.what)
    if (after - before) * by <= 0:
        raise ActionRefused(f"the pools of {change.what} did not move: {before} before, {after} after")


def _difference(change: Change, *, now: int) -> int:
    """Return by how much to move: to the wanted size, but never further than the action meant to.

    A worker that was started again has its old size already; one that was added is none of our doing.
    """
    wanted = _size(change, change.after)
    meant, left = wanted - _size(change, change.before), wanted - now
    return min(meant, max(0, left)) if meant > 0 else max(meant, min(0, left))


def _size(change: Change, value: Setting) -> int:
    if not isinstance(value, (int, float)):
        raise ActionRefused(f"{change.what}: {value!r} is no size of a pool")
    return int(value)


EFFECTS: Final[Mapping[Effect, EffectFunction]] = {
    "instance": _set_instance_fields,
    "override": _set_overrides,
    "pool": _resize_pools,
    "restart": _restart_worker,
    "upkeep": _send_upkeep,
    "clear_cache": _clear_cache,
    "clear_phrases": _clear_phrases,
    "operate": _operate,
}
