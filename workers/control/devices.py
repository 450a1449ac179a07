"""The registry of devices: kept in SQL as it changes, and given back to a Redis that came up empty.

What stands in Redis at the moment is what is written, not how it came to be, so nothing has to be kept in
order, ten changes of a device are one row, and no word of a user passes through the stream of records.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import structlog

from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.dialogue_store import memory
from dispatcher.errors import RecordsError, StateError
from dispatcher.messages import KEEP_DEVICES
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from workers.celery import app
from workers.control.ticks import tick

if TYPE_CHECKING:
    from dispatcher.records.store import Store

log = structlog.get_logger(__name__)

BATCH: Final = 200
KEEP_S: Final = 4.0
CALL_TIMEOUT_S: Final = 5.0
WARN_EVERY_S: Final = 60.0


@app.task(name=KEEP_DEVICES)
@tick(KEEP_DEVICES)
def keep_devices() -> None:
    """Write what changed; first give Redis what it lost. A store that is away is tried at the next tick."""
    store = _store(process_context())
    if store is None:
        return
    try:
        if store.prepare():
            process_context().run(_change_all(process_context()), timeout_s=CALL_TIMEOUT_S)
        _restore(process_context(), store)
        _keep(process_context(), store)
    except (RecordsError, StateError, TimeoutError) as error:
        _trouble(process_context()).tell(str(error))


class _Trouble:
    """Tells of a store that is away once a minute at most, as the drain of the records does."""

    def __init__(self) -> None:
        self._told_at_s = -WARN_EVERY_S
        self._alone = threading.Lock()

    def tell(self, reason: str) -> None:
        with self._alone:
            if time.monotonic() - self._told_at_s < WARN_EVERY_S:
                return
            self._told_at_s = time.monotonic()
        log.warning("devices not kept yet", reason=reason)


@cache
def _trouble(_: WorkerContext) -> _Trouble:
    return _Trouble()


@cache
def _store(shared: WorkerContext) -> Store | None:
    try:
        from dispatcher.records.store import Store  # noqa: PLC0415  as in workers/control/records.py
    except ModuleNotFoundError:
        return None  # the first drain of records says so
    return Store.at(shared.settings.database)


def _restore(shared: WorkerContext, store: Store) -> None:
    from dispatcher.records import devices  # noqa: PLC0415  as above

    if not shared.run(registry.lost_everything(shared.redis), timeout_s=CALL_TIMEOUT_S):
        return
    rows = [(_device(row), str(row["memory"])) for row in devices.read_all(store.engine)]
    shared.run(registry.restore(shared.redis, rows), timeout_s=60.0)
    if rows:
        log.info("devices restored", count=len(rows))


def _keep(shared: WorkerContext, store: Store) -> None:
    from dispatcher.records import devices  # noqa: PLC0415  as above

    give_up_at_s = time.monotonic() + KEEP_S
    while time.monotonic() < give_up_at_s:
        changed = shared.run(registry.take_changed(shared.redis, BATCH), timeout_s=CALL_TIMEOUT_S)
        if not changed:
            return
        try:
            devices.keep(store.engine, shared.run(_rows(shared, changed), timeout_s=CALL_TIMEOUT_S))
        except (RecordsError, StateError, TimeoutError):
            shared.run(registry.give_back_changed(shared.redis, changed), timeout_s=CALL_TIMEOUT_S)
            raise


async def _change_all(shared: WorkerContext) -> None:
    """Have every known device written again."""
    known = [device.device_id for device in await registry.read_all(shared.redis)]
    if known:
        await registry.give_back_changed(shared.redis, known)


async def _rows(shared: WorkerContext, device_ids: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
    """Return the devices as they stand; None for one that is not there any more."""
    found, memories = await asyncio.gather(
        registry.read_many(shared.redis, device_ids), memory.read_many(shared.redis, device_ids)
    )
    return {
        device.device_id: _row(device, text) if device.first_seen_ms else None
        for device, text in zip(found, memories, strict=True)
    }


def _row(device: Registered, remembered: str) -> Mapping[str, Any]:
    return {
        "first_seen_ms": device.first_seen_ms,
        "last_seen_ms": device.last_seen_ms,
        "board": device.board,
        "firmware": device.firmware,
        "accept_language": device.accept_language,
        "language": device.language or "",
        "name": device.name,
        "persona": device.persona,
        "blocked": int(device.blocked),
        "activated": int(device.activated),
        "memory": remembered,
        "client": device.client,
    }


def _device(row: Mapping[str, Any]) -> Registered:
    texts = ("board", "firmware", "accept_language", "name", "persona", "client")
    return Registered(
        device_id=row["device"],
        first_seen_ms=row["first_seen_ms"],
        last_seen_ms=row["last_seen_ms"],
        language=row["language"] or None,
        blocked=bool(row["blocked"]),
        activated=bool(row["activated"]),
        waiting_since_ms=0,
        **{name: str(row[name]) for name in texts},
    )
