"""Live feed of the page: Redis is polled once for all viewers, and each is sent the sections that changed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog

from dispatcher.console.fleet_events import FleetEvents
from dispatcher.console.recent_turns import RecentTurns
from dispatcher.console.record_queries import RecordQueries
from dispatcher.console.snapshot import ConsoleSnapshot, take_snapshot
from dispatcher.errors import ConfigError, StateError, in_words
from dispatcher.redis_client.client import RedisClient

log = structlog.get_logger(__name__)

FEED_INTERVAL_S: Final = 1.0
# So often while nobody looks, for the events.
IDLE_INTERVAL_S: Final = 5.0
# Well within Prometheus's own 10 s for a scrape.
SNAPSHOT_TIMEOUT_S: Final = 3.0
MAX_VIEWERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSources:
    """All that a section may read."""

    redis: RedisClient
    cache_redis: RedisClient
    turns: RecentTurns
    events: FleetEvents
    records: RecordQueries


SectionReader = Callable[[FeedSources, ConsoleSnapshot], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSection:
    """One part of the page: its name on the wire, its reader, and how often that is asked."""

    name: str
    read: SectionReader
    period_s: float = FEED_INTERVAL_S


class LiveFeed:
    """The poll of one console; while Redis is unreachable the last picture stays."""

    def __init__(self, sources: FeedSources, sections: Sequence[PageSection]) -> None:
        """Poll nothing yet."""
        self._sources = sources
        self._sections = sections
        self._due_at_s = dict.fromkeys((each.name for each in sections), 0.0)
        # By section: the version in which it changed, and the message as it is sent.
        self._messages: dict[str, tuple[int, bytes]] = {}
        self._version = 0
        self._viewers = 0
        self._changed = asyncio.Condition()
        self._wanted = asyncio.Event()
        self._redis_trouble: dict[str, Any] | None = None
        self._unread: set[str] = set()

    @property
    def viewers(self) -> int:
        """How many look."""
        return self._viewers

    @property
    def is_full(self) -> bool:
        """Whether no further viewer is taken."""
        return self._viewers >= MAX_VIEWERS

    async def run(self) -> None:
        """Poll until cancelled: each second while somebody looks, and seldom otherwise."""
        while True:
            began_at_s = time.monotonic()
            try:
                await self._poll(began_at_s)
            except Exception:  # one section that cannot be read must not end the feed of all
                log.exception("feed not polled")
            spent_s = time.monotonic() - began_at_s
            if self._viewers:
                await asyncio.sleep(max(0.05, FEED_INTERVAL_S - spent_s))
                continue
            self._wanted.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), IDLE_INTERVAL_S)

    async def view(self) -> AsyncGenerator[bytes]:
        """Yield messages for one viewer: first all sections, then those that changed."""
        if not self._viewers and self._redis_trouble is None:
            # Nobody looked meanwhile, so what was sent last may be hours old.
            self._messages.clear()
            self._due_at_s = dict.fromkeys(self._due_at_s, 0.0)
        self._viewers += 1
        self._wanted.set()
        seen = 0
        try:
            while True:
                fresh = [message for version, message in self._messages.values() if version > seen]
                seen = self._version
                if fresh:
                    yield b"".join(fresh)
                async with self._changed:
                    await self._changed.wait_for(lambda: self._version > seen)  # noqa: B023  awaited here
        finally:
            self._viewers -= 1

    async def _poll(self, now_s: float) -> None:
        try:
            async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
                snapshot = await take_snapshot(self._sources.redis, self._sources.cache_redis)
                self._sources.events.observe(snapshot)
                found = await self._read_sections(snapshot, now_s) if self._viewers else {}
            self._redis_trouble = None
        except (TimeoutError, StateError) as error:
            found = {}
            self._note_trouble(error)
        await self._publish(found)

    async def _read_sections(self, snapshot: ConsoleSnapshot, now_s: float) -> dict[str, Any]:
        due = [each for each in self._sections if now_s >= self._due_at_s[each.name]]
        found = {}
        for each in due:
            try:
                found[each.name] = await each.read(self._sources, snapshot)
                self._unread.discard(each.name)
            except ConfigError as error:  # a catalogue of another version, while an upgrade is under way
                if each.name not in self._unread:
                    log.warning("section not readable", section=each.name, reason=str(error))
                self._unread.add(each.name)
        self._due_at_s |= {each.name: now_s + each.period_s - FEED_INTERVAL_S / 2 for each in due}
        return found

    def _note_trouble(self, error: TimeoutError | StateError) -> None:
        if self._redis_trouble is None:
            log.warning("redis not readable", reason=in_words(error))
            self._redis_trouble = {"since_s": round(time.time(), 1)}
        self._redis_trouble["reason"] = in_words(error)

    async def _publish(self, found: Mapping[str, Any]) -> None:
        records = self._sources.records
        sql = (
            {"since_s": round(records.trouble_since_s, 1), "reason": records.trouble}
            if records.trouble
            else None
        )
        # Comes with each poll, so that a page whose feed has stopped notices.
        health = {"at_s": round(time.time(), 1), "redis": self._redis_trouble, "sql": sql}
        async with self._changed:
            self._version += 1
            for name, content in {**found, "health": health}.items():
                message = _message(name, content)
                if self._messages.get(name, (0, b""))[1] != message:
                    self._messages[name] = (self._version, message)
            self._changed.notify_all()


def _message(name: str, content: Any) -> bytes:
    """Return an event as server-sent events write it; JSON has no line breaks."""
    packed = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return f"event: {name}\ndata: {packed}\n\n".encode(errors="replace")
