"""Records on their way from the stream in Redis to SQL."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import structlog

from dispatcher.backoff import BackOff
from dispatcher.control import owned_lock
from dispatcher.control.log_limit import LogLimit
from dispatcher.control.loop_runner import LoopRunner
from dispatcher.errors import RecordsError, StateError
from dispatcher.records.store import Store
from dispatcher.redis_client import keys
from dispatcher.telemetry import record_stream, usage_counters
from dispatcher.telemetry.record_stream import Batch, StreamState

RECORDS_DRAINER_TTL_S: Final = 15

log = structlog.get_logger(__name__)
Result = TypeVar("Result")

BATCH_RECORDS: Final = 1_000
DRAIN_BUDGET_S: Final = 4.0
REDIS_TIMEOUT_S: Final = 5.0
WARNING_INTERVAL_S: Final = 60.0
FIRST_PAUSE_S: Final = 1.0
# A store that comes back is found again within this time.
MAX_PAUSE_S: Final = 10.0
BROKER_LOST: Final = "lost with the broker"
STREAM_FULL: Final = "the stream was full"
UNREADABLE: Final = "not readable"


class RecordDrain:
    """The drain of one control worker; all that counts is in Redis and SQL, and one drain works at a time.

    Thirteen methods: each loss of the stream has one, and so has each place where one may be put off.
    """

    def __init__(
        self, loop: LoopRunner, store: Store, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin without a pause."""
        self._loop = loop
        self._store = store
        self._clock = clock
        self._pauses = BackOff(first_s=FIRST_PAUSE_S, longest_s=MAX_PAUSE_S, growth=2, jitter=0)
        self._not_before_s = float("-inf")
        self._warnings = LogLimit(WARNING_INTERVAL_S, clock)
        self._seen = StreamState(life="", backlog=0, dropped=0)

    def run_once(self) -> int:
        """Drain for a few seconds at most, and return how many records were kept.

        A store that is out of reach is left alone for a while; beside another drain this one does nothing.
        """
        if self._clock() < self._not_before_s:
            return 0
        try:
            count = self._drain_alone()
        except (RecordsError, StateError, TimeoutError) as error:
            self._put_off(str(error))
            return 0
        self._pauses.reset()
        return count

    def _drain_alone(self) -> int:
        redis, ttl_ms = self._loop.redis, RECORDS_DRAINER_TTL_S * 1000
        lock = self._run(owned_lock.try_acquire(redis, keys.RECORDS_DRAINER, ttl_ms=ttl_ms))
        if lock is None:
            return 0
        try:
            return self._drain(self._clock() + DRAIN_BUDGET_S)
        finally:
            self._run(owned_lock.release(redis, lock))

    def _drain(self, give_up_at_s: float) -> int:
        life = self._record_loss()
        count = self._keep_all(life, give_up_at_s)
        self._record_drops()
        # Now that the store has answered: while it does not, the counters wait where they take no room.
        # They are kept under the same lock: the next drain may be of a version that does not know them.
        moved = self._run(usage_counters.move_to_stream(self._loop.redis))
        if self._run(record_stream.put_back(self._loop.redis)) or moved:
            count += self._keep_all(life, give_up_at_s)
        return count

    def _keep_all(self, life: str, give_up_at_s: float) -> int:
        """Keep what the stream holds, as far as the time goes; return how many records that were."""
        count = 0
        while self._clock() < give_up_at_s:
            batch = self._run(record_stream.read(self._loop.redis, BATCH_RECORDS))
            if batch.is_empty:
                break
            self._keep(batch, life)
            count += len(batch.records)
        return count

    def _record_loss(self) -> str:
        """Return the life of the stream, and record what one that is gone held at least."""
        before, state = self._seen, self._open_stream()
        if before.life and before.life != state.life and before.backlog:
            self._store.drop(before.backlog, BROKER_LOST, life=state.life, dropped=0)
            log.error("records dropped", entries=before.backlog, reason=BROKER_LOST)
        return state.life

    def _keep(self, batch: Batch, life: str) -> None:
        """Write a batch, and only then take it out of the stream."""
        if batch.records:
            self._store.keep(batch.records, life=life)
        if batch.unreadable:
            drained = self._store.drained()
            self._store.drop(len(batch.unreadable), UNREADABLE, life=life, dropped=drained.dropped)
        self._run(record_stream.lay_aside(self._loop.redis, batch.unknown))
        ids = [record_stream.entry_id(record) for record in batch.records]
        self._acknowledge([*ids, *batch.unreadable])
        # Some may have been kept by a drain that died before it could take them out.
        kept = self._kept_before(batch.trimmed) if batch.trimmed else set()
        self._acknowledge(sorted(kept))
        self._acknowledge([each for each in batch.trimmed if each not in kept], is_counted=False)

    def _kept_before(self, trimmed: tuple[str, ...]) -> set[str]:
        drained = self._store.drained()
        last = (drained.entry_ms, drained.entry_seq)
        return {each for each in trimmed if record_stream.entry_key(each) <= last}

    def _acknowledge(self, ids: list[str], *, is_counted: bool = True) -> None:
        self._run(record_stream.acknowledge(self._loop.redis, ids, counted=is_counted))

    def _record_drops(self) -> None:
        """Record what the bound of the stream cost since it was last recorded."""
        state, drained = self._open_stream(), self._store.drained()
        recorded = drained.dropped if drained.life == state.life else 0
        lost = max(0, state.dropped - recorded)
        if lost:
            log.error("records dropped", entries=lost, reason=STREAM_FULL)
        if (state.life, state.dropped) != (drained.life, recorded):
            self._store.drop(lost, STREAM_FULL, life=state.life, dropped=state.dropped)

    def _open_stream(self) -> StreamState:
        self._seen = self._run(record_stream.open_stream(self._loop.redis, uuid.uuid4().hex))
        return self._seen

    def _put_off(self, reason: str) -> None:
        self._not_before_s = self._clock() + self._pauses.next_s()
        if self._warnings.count():
            log.warning("records wait in the stream", reason=reason)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run(work, timeout_s=REDIS_TIMEOUT_S)
