"""Records on their way from the stream to SQL, every second; and once an hour the upkeep of what is kept.

SQLAlchemy is imported by the tasks, not by this module: every worker loads it, only the control worker
drains, and 20 MB in each of the others would be for nothing.
"""

from __future__ import annotations

import threading
import time
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import structlog
from celery.signals import worker_init

from dispatcher.errors import ConfigError, RecordsError, StateError
from dispatcher.messages import CONTROL_QUEUE, DRAIN_RECORDS, KEEP_RECORDS
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.settings import load_settings
from dispatcher.telemetry import record_stream
from dispatcher.telemetry.record_stream import Batch, StreamState
from workers.celery import app
from workers.control.ticks import tick

if TYPE_CHECKING:
    from dispatcher.records.store import Store

log = structlog.get_logger(__name__)

BATCH: Final = 1_000
DRAIN_S: Final = 4.0
CALL_TIMEOUT_S: Final = 5.0
WARN_EVERY_S: Final = 60.0
FIRST_PAUSE_S: Final = 1.0
# So soon is a store that came back found again.
LONGEST_PAUSE_S: Final = 10.0
CONFIG_EXIT_CODE: Final = 2
_ONE_MAKER: Final = threading.Lock()
MISSING: Final = "the packages of the extra `records` are not installed"


class Drain:
    """What one control worker remembers between two drains; all that counts is in Redis and SQL."""

    def __init__(self, shared: WorkerContext, store: Store) -> None:
        """Remember no trouble yet."""
        self._shared = shared
        self._store = store
        self._alone = threading.Lock()
        self._who = uuid.uuid4().hex
        self._pause_s = FIRST_PAUSE_S
        self._not_before_s = 0.0
        self._warned_at_s = -WARN_EVERY_S
        self._seen = StreamState(life="", backlog=0, dropped=0)

    def once(self) -> int:
        """Drain for a few seconds at most, and return how many entries were done with.

        A store that is away is left alone for a while; a drain that another one is at does nothing.
        """
        if time.monotonic() < self._not_before_s or not self._alone.acquire(blocking=False):
            return 0
        try:
            return self._in_turn()
        except (RecordsError, StateError, TimeoutError) as error:
            self._put_off(str(error))
            return 0
        finally:
            self._alone.release()

    def _in_turn(self) -> int:
        if not self._wait(record_stream.take_turn(self._shared.redis, self._who)):
            return 0
        try:
            count = self._drain()
        finally:
            self._wait(record_stream.end_turn(self._shared.redis, self._who))
        self._pause_s = FIRST_PAUSE_S
        return count

    def _drain(self) -> int:
        give_up_at_s = time.monotonic() + DRAIN_S
        state = self._look()
        count = 0
        while time.monotonic() < give_up_at_s:
            batch = self._wait(record_stream.read(self._shared.redis, BATCH))
            if batch.is_empty:
                break
            self._keep(batch, state.life)
            count += len(batch.records)
        self._tell_drops()
        return count

    def _look(self) -> StreamState:
        """Return how the stream stands, and know what a stream that is gone held at least."""
        state: StreamState = self._wait(record_stream.open_stream(self._shared.redis, uuid.uuid4().hex))
        if self._seen.life and self._seen.life != state.life and self._seen.backlog:
            lost = self._seen.backlog
            self._store.drop(lost, "lost with the broker", life=state.life, dropped=0)
            log.error("records dropped", entries=lost, reason="lost with the broker")
        self._seen = state
        return state

    def _keep(self, batch: Batch, life: str) -> None:
        """Write a batch, and only then take it out of the stream."""
        if batch.records:
            self._store.keep(batch.records, life=life)
        if batch.unreadable:
            known = self._store.drained()
            self._store.drop(len(batch.unreadable), "not readable", life=life, dropped=known.dropped)
        ids = [record_stream.entry_id(record) for record in batch.records]
        self._done([*ids, *batch.unreadable])
        kept = self._kept_before(batch.trimmed)
        self._done(kept)
        self._done([each for each in batch.trimmed if each not in kept], counted=False)

    def _kept_before(self, trimmed: tuple[str, ...]) -> list[str]:
        """Return those that a drain had kept when it died, before it could take them out."""
        if not trimmed:
            return []
        known = self._store.drained()
        return [each for each in trimmed if _halves(each) <= (known.entry_ms, known.entry_seq)]

    def _done(self, ids: list[str], *, counted: bool = True) -> None:
        self._wait(record_stream.acknowledge(self._shared.redis, ids, counted=counted))

    def _tell_drops(self) -> None:
        """Write down what the bound of the stream cost since it was last told."""
        state: StreamState = self._wait(record_stream.open_stream(self._shared.redis, uuid.uuid4().hex))
        self._seen = state
        known = self._store.drained()
        told = known.dropped if known.life == state.life else 0
        if state.dropped > told:
            log.error("records dropped", entries=state.dropped - told, reason="the stream was full")
        if (state.life, state.dropped) != (known.life, told):
            lost = max(0, state.dropped - told)
            self._store.drop(lost, "the stream was full", life=state.life, dropped=state.dropped)

    def _put_off(self, reason: str) -> None:
        now_s = time.monotonic()
        self._not_before_s = now_s + self._pause_s
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
        if now_s - self._warned_at_s >= WARN_EVERY_S:
            self._warned_at_s = now_s
            log.warning("records wait in the stream", reason=reason)

    def _wait(self, work: Any) -> Any:
        return self._shared.run(work, timeout_s=CALL_TIMEOUT_S)


def _halves(entry: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry.partition("-")
    return int(milliseconds), int(sequence)


def _drain(shared: WorkerContext) -> Drain | None:
    """Return the one drain of this process, whichever of its threads asks first."""
    with _ONE_MAKER:
        return _make_drain(shared)


@cache
def _make_drain(shared: WorkerContext) -> Drain | None:
    try:
        from dispatcher.records.store import Store  # noqa: PLC0415  only where the control queue is served
    except ModuleNotFoundError as error:
        log.warning("records are not kept", reason=MISSING, module=error.name)
        return None
    return Drain(shared, Store.at(shared.settings.database))


@app.task(name=DRAIN_RECORDS)
@tick(DRAIN_RECORDS)
def drain_records() -> None:
    """Bring what is in the stream to SQL."""
    drain = _drain(process_context())
    if drain is not None:
        drain.once()


@app.task(name=KEEP_RECORDS)
@tick(KEEP_RECORDS)
def keep_records() -> None:
    """Roll up and delete what is old; a store that is away is looked after an hour later."""
    try:
        from dispatcher.records import engine, retention, store  # noqa: PLC0415  as above
    except ModuleNotFoundError:
        return
    opened = store.Store.at(process_context().settings.database, patience_s=engine.KEEP_PATIENCE_S)
    try:
        opened.prepare()
        gone = retention.prune(opened.engine)
        retention.optimise(opened.engine)
        log.info("records pruned", **gone)
    except RecordsError as error:
        log.warning("records not pruned", reason=str(error))
    finally:
        opened.close()


@worker_init.connect
def check_address(sender: Any, **_: Any) -> None:
    """End a control worker whose DATABASE_URL is wrong: nothing of it would ever be kept."""
    if CONTROL_QUEUE not in sender.app.amqp.queues.consume_from:
        return
    try:
        from dispatcher.records.address import parse  # noqa: PLC0415  as above

        parse(load_settings().database)
    except ModuleNotFoundError:
        return  # the first drain says so
    except ConfigError as error:
        log.error("records have nowhere to go", problems=error.problems)  # noqa: TRY400  its text says it all
        raise SystemExit(CONFIG_EXIT_CODE) from error
