"""Signs of life of worker processes, and the messages that each of them has in hand.

A worker moves a message from its queue to a list of its own in one step, and takes it from there when it is
done. The fronts look after workers that show no life: what such a one had in hand is taken from it, once.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import clock_ms
from dispatcher.redis_client.lua_script import NamedValues, Script

BEAT_INTERVAL_S: Final = 0.25
# With nothing in hand: four workers that beat as often as under load took a third of an idle broker.
IDLE_BEAT_INTERVAL_S: Final = 1.0
LOST_AFTER_S: Final = 1.0
# An idle heartbeat counts as one of so much later, so that the next is in time.
IDLE_GRACE_S: Final = IDLE_BEAT_INTERVAL_S - BEAT_INTERVAL_S
# So long others do its work where it was the last one of its queue.
LOST_REMEMBERED_S: Final = 60.0

_BEAT: Final = Script.load("dispatcher.turn_store", "clock", "beat", repeatable=True)
_GIVE_BACK: Final = Script.load("dispatcher.turn_store", "give_back", repeatable=True)
_TAKE_LOST: Final = Script.load("dispatcher.turn_store", "clock", "take_lost")
_SERVICE_KEYS: Final = tuple(
    key
    for each in SERVICES
    for key in (
        keys.fleet(each),
        keys.waiting(each),
        keys.line("seen", each),
        keys.line("excluded", each),
    )
)
# Ids of leases begin with it. A process id comes again, that of a container each time; this does not.
PROCESS_TOKEN: Final = secrets.token_hex(6)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBeat:
    """When a worker process showed life last, in ms by the clock of Redis; an idle one has a grace more.

    Negative where it is known to have ended, 0 where it stopped of itself.
    """

    worker: str
    host: str
    pid: int
    at_ms: float

    @property
    def queues(self) -> list[str]:
        """The queues that it consumes."""
        return self.worker.split(":")[2].split(",")

    @property
    def is_leaving(self) -> bool:
        """Whether it stops of itself, or has ended."""
        return self.at_ms <= 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LostMessage:
    """A message that a lost worker had in hand; `has_ended`: it did, and does not only show no life."""

    message: bytes
    has_ended: bool


def worker_id(queues: Iterable[str]) -> str:
    """Return the id of this worker process: host, process id, queues, and a word that none else has."""
    return f"{socket.gethostname()}:{os.getpid()}:{','.join(queues)}:{PROCESS_TOKEN}"


async def beat(redis: RedisClient, worker: str, *, grace_s: float = 0.0) -> set[str]:
    """Show that a worker lives; return the queues whose workers are all lost.

    Args:
        redis: where fronts see it.
        worker: its id.
        grace_s: so much later than others it is missed.

    Raises:
        StateError: Redis is out of reach.
    """
    arguments: NamedValues = {
        "worker": worker,
        "lost_after_ms": round(LOST_AFTER_S * 1000),
        "grace_ms": round(grace_s * 1000),
    }
    missed = await redis.run(_BEAT, keys={"workers": keys.WORKERS}, arguments=arguments)
    return {queue.decode() for queue in missed}


def leave(redis: RedisClient, worker: str) -> None:
    """Count a worker as lost from now on: what it leaves undone is for others at once."""
    redis.send_nowait("ZADD", keys.WORKERS, 0, worker, repeatable=True)


def end_message(redis: RedisClient, worker: str, message: bytes) -> None:
    """Note that a worker is done with a message."""
    redis.send_nowait("LREM", keys.taken(worker), -1, message, repeatable=True)


def give_back_message(redis: RedisClient, worker: str, queue: str, message: bytes) -> None:
    """Return a message to its queue in one step, which may be repeated; one that others took stays theirs."""
    operands = _GIVE_BACK.operands(
        {"taken": keys.taken(worker), "queue": queue}, {"message": message}, (), ()
    )
    redis.send_nowait("EVAL", _GIVE_BACK.source, *operands, repeatable=True)


async def take_lost(redis: RedisClient, *, grace_s: float = 0.0) -> list[LostMessage]:
    """Return the messages of workers that are lost; they are the caller's from here on, and nobody else's.

    Args:
        redis: where workers show life.
        grace_s: so much later than usual the caller asks again.

    Raises:
        StateError: Redis is out of reach.
    """
    ended, silent = await redis.run(
        _TAKE_LOST,
        keys={"workers": keys.WORKERS},
        rest_keys=_SERVICE_KEYS,
        arguments={
            "lost_after_ms": round(LOST_AFTER_S * 1000),
            "remembered_ms": round(LOST_REMEMBERED_S * 1000),
            "grace_ms": round(grace_s * 1000),
            "taken_prefix": keys.taken(""),
            "freed_channel": keys.FREED_CHANNEL,
        },
        rest=[keys.leases(each, "") for each in SERVICES],
    )
    return [
        LostMessage(message=message, has_ended=messages is ended)
        for messages in (ended, silent)
        for message in messages
    ]


async def read_beats(redis: RedisClient) -> list[WorkerBeat]:
    """Return the last sign of life of each worker, the lost among them for a while.

    Raises:
        StateError: Redis is out of reach.
    """
    beats = []
    for member, at_ms in await redis.execute("ZRANGE", keys.WORKERS, 0, -1, "WITHSCORES"):
        worker = member.decode("utf-8", "replace")
        host, _, rest = worker.partition(":")
        pid = rest.partition(":")[0]
        if pid.isdigit():
            beats.append(WorkerBeat(worker=worker, host=host, pid=int(pid), at_ms=float(at_ms)))
    return beats


async def read_live(redis: RedisClient, *, silence_s: float = LOST_AFTER_S) -> list[WorkerBeat]:
    """Return the worker processes that have shown no life for so long at most, by the clock of Redis.

    Raises:
        StateError: Redis is out of reach.
    """
    clock, beats = await asyncio.gather(redis.submit(("TIME",)), read_beats(redis))
    since_ms = clock_ms(clock) - silence_s * 1000
    return [each for each in beats if each.at_ms >= since_ms]


async def count_workers(redis: RedisClient) -> dict[str, int]:
    """Return how many worker processes that show life consume each queue.

    Raises:
        StateError: Redis is out of reach.
    """
    return dict(Counter(queue for each in await read_live(redis) for queue in each.queues))


def mark_lost(redis: RedisClient, beat: WorkerBeat) -> None:
    """Count a worker as lost that is known to have ended, whatever life it showed a moment ago."""
    redis.send_nowait("ZADD", keys.WORKERS, "XX", -abs(beat.at_ms), beat.worker, repeatable=True)
