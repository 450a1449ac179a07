"""Archive of the device registry: written to SQL as it changes, and restored to a Redis that came up empty.

The rows are what stands in Redis at the moment, not how it came to be, so nothing has to be kept in order,
ten changes of a device are one row, and no word of a user passes through the stream of records.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, TypeVar

import structlog

from dispatcher.control.log_limit import LogLimit
from dispatcher.control.loop_runner import LoopRunner
from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.dialogue_store import memory
from dispatcher.errors import RecordsError, StateError
from dispatcher.records import devices
from dispatcher.records.store import Store

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

BATCH_DEVICES: Final = 200
ARCHIVE_BUDGET_S: Final = 4.0
REDIS_TIMEOUT_S: Final = 5.0
RESTORE_TIMEOUT_S: Final = 60.0
WARNING_INTERVAL_S: Final = 60.0


class DeviceArchive:
    """The archive as one control worker keeps it."""

    def __init__(self, loop: LoopRunner, store: Store) -> None:
        """Use a store; nothing connects yet."""
        self._loop = loop
        self._store = store
        self._warnings = LogLimit(WARNING_INTERVAL_S)

    def run_once(self) -> None:
        """Restore what Redis lost, then write what changed; a failure is retried at the next tick."""
        try:
            if self._store.prepare():
                self._run(_mark_all_changed(self._loop))
            self._restore()
            self._write_changed()
        except (RecordsError, StateError, TimeoutError) as error:
            if self._warnings.count():
                log.warning("devices not kept yet", reason=str(error))

    def _restore(self) -> None:
        redis = self._loop.redis
        if not self._run(registry.needs_restore(redis)):
            return
        rows = [(device_of(row), str(row["memory"])) for row in devices.read_all(self._store.engine)]
        self._loop.run(registry.restore(redis, rows), timeout_s=RESTORE_TIMEOUT_S)
        if rows:
            log.info("devices restored", count=len(rows))

    def _write_changed(self) -> None:
        redis, give_up_at_s = self._loop.redis, time.monotonic() + ARCHIVE_BUDGET_S
        while time.monotonic() < give_up_at_s:
            changed = self._run(registry.take_changed(redis, BATCH_DEVICES))
            if not changed:
                return
            try:
                devices.keep(self._store.engine, self._run(_read_rows(self._loop, changed)))
            except (RecordsError, StateError, TimeoutError):
                self._run(registry.put_back_changed(redis, changed))
                raise

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run(work, timeout_s=REDIS_TIMEOUT_S)


async def _mark_all_changed(loop: LoopRunner) -> None:
    known = [device.device_id for device in await registry.read_all(loop.redis)]
    if known:
        await registry.put_back_changed(loop.redis, known)


async def _read_rows(loop: LoopRunner, device_ids: Sequence[str]) -> dict[str, Mapping[str, Any] | None]:
    """Return the devices as they stand; None for one that was removed."""
    found, memories = await asyncio.gather(
        registry.read_many(loop.redis, device_ids), memory.read_many(loop.redis, device_ids)
    )
    return {
        device.device_id: row_of_device(device, text) if device.first_seen_ms else None
        for device, text in zip(found, memories, strict=True)
    }


def row_of_device(device: Registered, remembered: str) -> dict[str, Any]:
    """Return the columns of a device: a truth is 0 or 1, and no language is an empty text."""
    row = {name: getattr(device, name) for name in devices.FIELDS if name != "memory"}
    numbers = {name: int(value) for name, value in row.items() if isinstance(value, bool)}
    return {**row, **numbers, "language": device.language or "", "memory": remembered}


def device_of(row: Mapping[str, Any]) -> Registered:
    """Return the device of a row."""
    fields = {name: row[name] for name in devices.FIELDS if name != "memory"}
    truths = {name: bool(row[name]) for name in ("blocked", "activated")}
    return Registered(device_id=row["device"], **{**fields, **truths, "language": row["language"] or None})
