"""Slots on instances: picked and leased in one step, renewed while held, given back with the outcome."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dispatcher.errors import Origin, TurnCancelled
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.commands import Script
from dispatcher.turn_store.worker_heartbeats import PROCESS_TOKEN

Outcome = Literal["ok", "failed", "ignored", "probed"]
# As pick_candidates.lua tells them apart.
PickMode = Literal["", "spare", "offer", "probe"]
FAILURES_THAT_EJECT: Final = 3

# A second lease of a call whose first answer was lost is renewed by nobody, and ends by itself.
_PICK = Script.load(
    "dispatcher.routing",
    *("pick_candidates.lua", "pick_slow.lua", "pick_algorithm.lua", "pick_lease.lua"),
    repeatable=True,
)
_FINISH = Script.load("dispatcher.routing", "finish.lua")
_RENEW = Script.load("dispatcher.routing", "renew.lua", repeatable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One lease on an instance.

    Attributes:
        lease_id: its member in the instance's sorted set.
        in_flight: leases on the instance, this one included.
        reason: why this instance was chosen, in words.
        alternative_s: what the quickest other instance of its priority that is free usually takes to its
            first result; None where there is none.
        probe: name of an instance to probe beside this call; empty for none.
    """

    service: Service
    name: str
    lease_id: str
    in_flight: int
    reason: str
    alternative_s: float | None = None
    probe: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoSlot:
    """Nothing could be leased: every usable instance is full, or none is left.

    Attributes:
        full: one of them may become free.
        forgotten: Redis does not know the instances at all; it has to be told of them again.
    """

    full: bool
    forgotten: bool = False


def new_lease_id() -> str:
    """Return an id for one call: its place in line while it waits, its lease once it has one.

    It begins with the word of its process, so that it can be taken back when that is lost.
    """
    return f"{PROCESS_TOKEN}{uuid.uuid4().hex}"


async def pick(
    redis: RedisClient,
    service: Service,
    *,
    turn_id: str,
    excluded: Collection[str] = (),
    lease_id: str | None = None,
    mode: PickMode = "",
    now_ms: float | None = None,
) -> Slot | NoSlot:
    """Choose an instance and lease a slot on it; both happen in one script.

    A call that comes with a `lease_id` and finds all slots taken is in line from then on. It keeps its place
    by looking again with the same id, at least every two seconds, until it gets a slot or says `leave`.

    Args:
        redis: connection to the shared state.
        service: whose instances are the candidates.
        turn_id: a turn that was cancelled gets nothing.
        excluded: names of instances that failed this call already.
        lease_id: the call's id; without one this is a single look.
        mode: whether the call may try instances that are slow or come back, or probe them beside it.
        now_ms: the time of a simulation; without it the clock of Redis counts.

    Raises:
        TurnCancelled: a barge-in ended the turn.
        StateError: Redis is out of reach.
    """
    call_id = lease_id or new_lease_id()
    named = keys.fleet(service), keys.cancelled(turn_id), keys.waiting(service), keys.seen(service)
    answer = await redis.run(
        _PICK,
        [*named, keys.excluded(service), keys.DECISIONS, keys.leaving(service)],
        [
            *(call_id, keys.LEASE_TTL_MS, random.random(), ",".join(excluded)),  # noqa: S311  a die
            *(keys.instance(service, ""), keys.leases(service, ""), service, turn_id),
            *(int(lease_id is not None), keys.FREED_CHANNEL, _or_redis_clock(now_ms), mode),
        ],
    )
    return _picked(answer, service, turn_id, call_id)


def _picked(answer: Sequence[bytes], service: Service, turn_id: str, lease_id: str) -> Slot | NoSlot:
    """Return what the pick script's answer means."""
    match answer[0]:
        case b"ok":
            _, name, in_flight, reason, alternative_ms, probe = answer
            return Slot(
                service=service,
                name=name.decode(),
                lease_id=lease_id,
                in_flight=int(in_flight),
                reason=reason.decode(),
                alternative_s=float(alternative_ms) / 1000 if alternative_ms else None,
                probe=probe.decode(),
            )
        case b"cancelled":
            raise TurnCancelled(turn_id)
        case status:
            return NoSlot(full=status == b"full", forgotten=status == b"forgotten")


def leave(redis: RedisClient, service: Service, lease_id: str) -> None:
    """Give up a place in line."""
    redis.send_nowait("ZREM", keys.waiting(service), lease_id)
    redis.send_nowait("ZREM", keys.seen(service), lease_id)
    redis.send_nowait("HDEL", keys.excluded(service), lease_id)


async def finish(
    redis: RedisClient,
    slot: Slot,
    *,
    outcome: Outcome,
    latency_ms: float,
    first_ms: float | None = None,
    reason: str = "",
    origin: Origin | None = None,
    retry_after_ms: float | None = None,
    now_ms: float | None = None,
) -> str:
    """Give the slot back and count the outcome.

    Args:
        redis: connection to the shared state.
        slot: what `pick` gave; its lease may have expired meanwhile.
        outcome: "ignored" teaches nothing but the first result; "probed" went well as far as that.
        latency_ms: how long the call took.
        first_ms: how long its first result took, for a call of usual size; None where none came.
        reason: what went wrong, in words; shown by `dispatcher status`.
        origin: whose fault a failure was; counted apart, also where it teaches nothing.
        retry_after_ms: for how long a failed call asked to be left alone; five minutes at most count.
        now_ms: the time of a simulation; without it the clock of Redis counts.

    Returns:
        "ejected" or "recovered" where the outcome changed the instance's state, else "".
    """
    own = keys.instance(slot.service, slot.name), keys.leases(slot.service, slot.name)
    changed = await redis.run(
        _FINISH,
        [*own, keys.waiting(slot.service), keys.DECISIONS, keys.excluded(slot.service)],
        [
            *(slot.lease_id, outcome, round(latency_ms, 3), FAILURES_THAT_EJECT, keys.FREED_CHANNEL),
            *("" if retry_after_ms is None else round(retry_after_ms), _or_redis_clock(now_ms)),
            *(reason[: keys.REASON_CHARACTERS], origin or "", slot.name),
            "" if first_ms is None else round(first_ms, 3),
        ],
    )
    return str(changed.decode())


async def renew(redis: RedisClient, slots: Sequence[Slot], *, now_ms: float | None = None) -> int:
    """Hold the slots for another lease time; return how many were still ours."""
    sets = [keys.leases(slot.service, slot.name) for slot in slots]
    lease_ids = [slot.lease_id for slot in slots]
    return int(await redis.run(_RENEW, sets, [keys.LEASE_TTL_MS, *lease_ids, _or_redis_clock(now_ms)]))


def _or_redis_clock(now_ms: float | None) -> float | str:
    """Return what tells a script the time; an empty text lets it ask Redis."""
    return "" if now_ms is None else now_ms
