"""Slots on instances: picked and leased in one step, renewed while held, given back with the outcome."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from dispatcher.errors import Origin, TurnCancelled
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import NamedValues, RestOperands, Script
from dispatcher.routing.applied_budgets import NO_BUDGETS, Budgets
from dispatcher.routing.call_usage import NO_USAGE
from dispatcher.routing.rules import constants
from dispatcher.turn_store.worker_heartbeats import PROCESS_TOKEN

Outcome = Literal["ok", "failed", "ignored", "probed"]
# As pick_candidates.lua tells them apart.
PickMode = Literal["", "spare", "offer", "probe", "relief"]

# A second lease of a call whose first answer was lost is renewed by nobody, and ends by itself.
_PICK = Script.load(
    "dispatcher.routing",
    *("call_clock", "held_value", "waiting_calls", "leave_line", "waiting_order"),
    *("pick_budgets", "pick_candidates", "pick_slow", "pick_algorithms", "pick_queue", "pick_lease"),
    constants=constants,
    repeatable=True,
)
_FINISH = Script.load(
    "dispatcher.routing",
    *("call_clock", "waiting_calls", "call_usage", "finish", "first_result", "outcome", "ejection"),
    constants=constants,
)
_LEAVE = Script.load("dispatcher.routing", "leave_line", "leave", repeatable=True)
_RENEW = Script.load("dispatcher.routing", "call_clock", "renew", constants=constants, repeatable=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingOrder:
    """Place of a call in the waiting line of its service; without any of it, first come, first served.

    What the rounds of the sharers are: waiting_order.lua.

    Attributes:
        waiting_class: every call of a class is before those of the next; 0 for the first one to 3.
        sharer: the device, of which each round of the line has one call; empty for a call without a share.
        due_ms: Unix time in ms at which it is wanted; None when it arrives.
    """

    waiting_class: int = 0
    sharer: str = ""
    due_ms: float | None = None

    def arguments(self) -> NamedValues:
        """Return it as the pick script takes it."""
        return {
            "waiting_class": self.waiting_class,
            "sharer": self.sharer,
            "due_ms": self.due_ms,
        }


FIRST_COME: Final = WaitingOrder()


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
        spent: the budget that bars those that are left; empty where none does.
        ahead: calls that wait in front.
    """

    full: bool
    forgotten: bool = False
    spent: str = ""
    ahead: int = field(default=0, compare=False)


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
    order: WaitingOrder = FIRST_COME,
    dialogue: str = "",
    budgets: Budgets = NO_BUDGETS,
    now_ms: float | None = None,
) -> Slot | NoSlot:
    """Choose an instance and lease a slot on it; both happen in one script.

    Args:
        redis: connection to the shared state.
        service: whose instances are the candidates.
        turn_id: a turn that was cancelled gets nothing.
        excluded: names of instances that failed this call already.
        lease_id: its place in line, kept by looking again at least every two seconds; without one, one look.
        mode: whether the call may try instances that are slow or half-open, probe them beside it, or use
            those that stand by.
        order: its place in line, should it have to wait.
        dialogue: whose requests begin alike: the instance that served it last is preferred, within bounds.
        budgets: that hold for the call.
        now_ms: the time of a simulation; without it the clock of Redis counts.

    Raises:
        TurnCancelled: a barge-in ended the turn.
        StateError: Redis is out of reach.
    """
    call_id = lease_id or new_lease_id()
    call: NamedValues = {"lease_id": call_id, "turn_id": turn_id, "mode": mode, "now_ms": now_ms}
    wish: NamedValues = {"excluded": ",".join(excluded), "may_wait": bool(lease_id), "dialogue": dialogue}
    of_call = {"cancelled": keys.cancelled(turn_id), "affinity": keys.affinity(service, dialogue)}
    arguments = {**call, **wish, **_service_arguments(service), **order.arguments()}
    named = {**_service_keys(service), **of_call}
    answer = await redis.run(_PICK, keys=named, arguments=arguments, **budgets.operands)
    return _picked(answer, service, turn_id, call_id)


def _service_keys(service: Service) -> NamedValues:
    return {
        "fleet": keys.fleet(service),
        "leaving": keys.leaving(service),
        "waiting": keys.waiting(service),
        "seen": keys.line("seen", service),
        "excluded": keys.line("excluded", service),
        "rounds": keys.line("rounds", service),
        "decisions": keys.DECISIONS,
    }


def _service_arguments(service: Service) -> NamedValues:
    return {
        "service": service,
        "lease_ttl_ms": keys.LEASE_TTL_MS,
        "dice": random.random(),  # noqa: S311  no secret
        "instance_prefix": keys.instance(service, ""),
        "leases_prefix": keys.leases(service, ""),
        "freed_channel": keys.FREED_CHANNEL,
    }


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
        case b"full":
            return NoSlot(full=True, ahead=int(answer[1]))
        case b"spent":
            return NoSlot(full=False, spent=answer[1].decode())
        case status:
            return NoSlot(full=False, forgotten=status == b"forgotten")


def leave(redis: RedisClient, service: Service, lease_id: str) -> None:
    """Give up a place in line; its sharer has the share of it back."""
    operands = _LEAVE.operands(_service_keys(service), {"lease_id": lease_id}, (), ())
    redis.send_nowait("EVAL", _LEAVE.source, *operands, repeatable=True)


async def finish(
    redis: RedisClient,
    slot: Slot,
    *,
    outcome: Outcome,
    latency_ms: float,
    first_ms: float | None = None,
    cached_ratio: float | None = None,
    reason: str = "",
    origin: Origin | None = None,
    retry_after_ms: float | None = None,
    usage: RestOperands = NO_USAGE,
    now_ms: float | None = None,
) -> str:
    """Give the slot back and count the outcome; return "ejected", "recovered", or "" for no change.

    Args:
        redis: connection to the shared state.
        slot: what `pick` gave; its lease may have expired meanwhile.
        outcome: "ignored" teaches nothing but the first result; "probed" went well as far as that.
        latency_ms: how long the call took.
        first_ms: how long its first result took, for a call of usual size; None where none came.
        cached_ratio: share of the prompt that it had read before; None where it does not say.
        reason: what went wrong, in words; shown by `dispatcher status`.
        origin: whose fault a failure was; counted apart, also where it teaches nothing.
        retry_after_ms: for how long a failed call asked to be left alone; five minutes at most count.
        usage: what it used, and what of which budget, as `call_usage.operands` returns it.
        now_ms: the time of a simulation; without it the clock of Redis counts.
    """
    instance, held = keys.instance(slot.service, slot.name), keys.leases(slot.service, slot.name)
    call = {"lease_id": slot.lease_id, "name": slot.name, "outcome": outcome, "now_ms": now_ms}
    times = {"latency_ms": round(latency_ms, 3), "first_ms": first_ms and round(first_ms, 3)}
    fault = {"reason": reason[: constants.REASON_CHARACTERS], "origin": origin}
    rest = {"cached_ratio": cached_ratio, "retry_after_ms": retry_after_ms and round(retry_after_ms)}
    named = {**_service_keys(slot.service), "instance": instance, "leases": held}
    arguments = {**call, **times, **fault, **rest, "freed_channel": keys.FREED_CHANNEL}
    changed = await redis.run(_FINISH, keys=named, arguments=arguments, **usage)
    return str(changed.decode())


async def renew(redis: RedisClient, slots: Sequence[Slot], *, now_ms: float | None = None) -> int:
    """Hold the slots for another lease time; return how many were still ours."""
    held = await redis.run(
        _RENEW,
        rest_keys=[keys.leases(slot.service, slot.name) for slot in slots],
        arguments={"lease_ttl_ms": keys.LEASE_TTL_MS, "now_ms": now_ms},
        rest=[slot.lease_id for slot in slots],
    )
    return int(held)
