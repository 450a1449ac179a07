"""The one door to the instances: a lease for each call, renewed while it lasts, counted at its end."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import structlog

from dispatcher.catalogue.model import Catalogue, Instance
from dispatcher.catalogue.required_keys import what_is_missing
from dispatcher.errors import (
    BudgetSpent,
    DeadlineExceeded,
    DispatcherError,
    InstanceError,
    NoInstanceAvailable,
    StateError,
)
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import leases
from dispatcher.routing.active_catalogue import ActiveCatalogue
from dispatcher.routing.applied_budgets import budgets_of
from dispatcher.routing.call_clock import CallClock
from dispatcher.routing.call_usage import HOUSE, CallUsage, Payer, operands
from dispatcher.routing.lease_line import WaitingLine
from dispatcher.routing.leases import FIRST_COME, NoSlot, Outcome, PickMode, Slot, WaitingOrder
from dispatcher.routing.spare_slots import SPARE_ORDER, SpareSlots, ask_for_slot

log = structlog.get_logger(__name__)

_NO_VERDICT: Final[tuple[Outcome, InstanceError | None]] = ("ignored", None)
RENEW_EVERY_S: Final = keys.LEASE_TTL_MS / 1000 / 3
# `leases.pick` with all but the id of the lease.
Look: TypeAlias = "partial[Coroutine[object, object, Slot | NoSlot]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A slot on an instance while a call is made.

    Attributes:
        wait_ms: how long the call waited for a free slot.
        clock: what it shows at the end is the response time of the instance.
        usage: what it has at the end is written.
    """

    instance: Instance
    slot: Slot
    wait_ms: float
    clock: CallClock
    usage: CallUsage


class Router:
    """Leases instances for the calls of one process.

    Fourteen methods: a lease is picked, waited for, renewed, undone and given back over the same tables.

    Attributes:
        active: tells what an instance's name means; a call under way keeps the instance that it was given.
        line: calls of this process that wait for a slot.
        spare_slots: calls that end where a real call waits for their slots.
        pick_times_s: how long picks took, until somebody takes them; None where nobody does.
    """

    def __init__(self, redis: RedisClient, catalogue: Catalogue, *, activated_at_s: float = 0.0) -> None:
        """Use the shared state, and a catalogue that was chosen at a Unix time."""
        self.line = WaitingLine(redis)
        self.active = ActiveCatalogue(redis, catalogue, activated_at_s=activated_at_s)
        self.spare_slots = SpareSlots(redis)
        self.pick_times_s: deque[float] | None = None
        self._redis = redis
        self._looked_at: Catalogue | None = None
        self._barred: dict[Service, frozenset[str]] = {}
        self._held: dict[str, Slot] = {}
        self._renewer: asyncio.Task[None] | None = None
        self._abandoned: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def lease(
        self,
        service: Service,
        *,
        turn_id: str,
        deadline_at_s: float,
        excluded: Collection[str] = (),
        mode: PickMode = "",
        order: WaitingOrder = FIRST_COME,
        dialogue: str = "",
        payer: Payer = HOUSE,
        on_wait: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Lease]:
        """Hold a slot, or a spare one by SPARE_ORDER, as `leases.pick`; `on_wait` is called each second.

        An InstanceError counts against the instance, unless its class says otherwise; a barge-in or a passed
        deadline gives the slot back without a verdict.

        Raises:
            NoInstanceAvailable: none is left to try, or none became free before the deadline.
            TurnCancelled, StateError: a barge-in ended the turn; Redis is out of reach.
        """
        clock, (outcome, failure) = CallClock(), _NO_VERDICT
        look = self._look_for(service, excluded, order, payer, turn_id=turn_id, mode=mode, dialogue=dialogue)
        slot = await self._pick(service, deadline_at_s, look, on_wait)
        wait_ms, usage = clock.begin(), CallUsage(payer=payer, budgets=look.keywords["budgets"].of(slot.name))
        try:
            instance = await self._instance(slot.name)
            with self.spare_slots.held(slot, instance, turn_id) if order is SPARE_ORDER else nullcontext():
                yield Lease(instance=instance, slot=slot, wait_ms=wait_ms, clock=clock, usage=usage)
            outcome = "ok" if clock.teaches else "ignored"
        except InstanceError as error:
            outcome, failure = "failed" if error.counts else "ignored", error
            usage.note_failure()
            raise
        finally:
            if mode == "probe" and failure is None and clock.first_ms is not None:
                outcome = "probed"
            await asyncio.shield(self._finish(slot, outcome, clock, failure, usage))

    def _look_for(
        self, service: Service, excluded: Collection[str], order: WaitingOrder, payer: Payer, **call: Any
    ) -> Look:
        """Return the pick of a call that lacks the id of its lease."""
        if order is not SPARE_ORDER and not self.active.current.overload.enabled:
            order = FIRST_COME
        not_these = self._not_configured(service).union(excluded)
        call["budgets"] = budgets_of(self.active.current, service, payer.device_id, payer.persona)
        return partial(leases.pick, self._redis, service, excluded=not_these, order=order, **call)

    def _not_configured(self, service: Service) -> frozenset[str]:
        """Return the instances that this process cannot call: checks tell all others of them, but later."""
        if self._looked_at is not self.active.current:
            self._looked_at = self.active.current
            self._barred = {
                name: frozenset(each.name for each in config.instances if what_is_missing(each))
                for name, config in self._looked_at.services.items()
            }
        return self._barred[service]

    async def _instance(self, name: str) -> Instance:
        """Return what a name means; one that is not known yet is of a catalogue activated just now."""
        try:
            return self.active.current.instance(name)
        except KeyError:
            await self.active.sync()
        try:
            return self.active.current.instance(name)
        except KeyError as error:
            raise StateError(f"redis leased {name}, which left the catalogue at that moment") from error

    async def _pick(
        self, service: Service, deadline_at_s: float, look: Look, on_wait: Callable[[], None]
    ) -> Slot:
        lease_id = leases.new_lease_id()
        try:
            while True:
                picked = await self._look(service, lease_id, look)
                if isinstance(picked, Slot):
                    if "panic" in picked.reason:
                        log.warning("no healthy instance, trying the least bad", instance=picked.name)
                    self._hold(picked)
                    return picked
                if picked.forgotten:
                    log.warning("redis came back empty, telling it of the instances", service=service)
                    await self.active.sync()
                    continue
                self._refuse(service, picked, deadline_at_s, lease_id)
                if self.active.current.conversation.uses_spare_slots(service):
                    await self._ask_for_spare_slot(service, lease_id, look.keywords["excluded"])
                on_wait()
                await self.line.wait(service, lease_id, ahead=picked.ahead)
        finally:
            self.line.end(lease_id)

    async def _look(self, service: Service, lease_id: str, look: Look) -> Slot | NoSlot:
        """Ask for a slot; one that arrives when the caller is gone is given back at once."""
        began_s = time.perf_counter()
        looking = asyncio.get_running_loop().create_task(look(lease_id=lease_id))
        try:
            picked = await asyncio.shield(looking)
        except asyncio.CancelledError:
            undoing = asyncio.get_running_loop().create_task(self._undo(looking, service, lease_id, look))
            self._abandoned.add(undoing)
            undoing.add_done_callback(self._abandoned.discard)
            raise
        if self.pick_times_s is not None:
            self.pick_times_s.append(time.perf_counter() - began_s)
        return picked

    async def _ask_for_spare_slot(self, service: Service, lease_id: str, excluded: Collection[str]) -> None:
        """Have a call on a spare slot end; a call that ends meanwhile leaves its place in line."""
        try:
            await ask_for_slot(self._redis, service, excluded)
        except (asyncio.CancelledError, StateError):
            leases.leave(self._redis, service, lease_id)
            raise

    async def _undo(
        self, looking: asyncio.Task[Slot | NoSlot], service: Service, lease_id: str, look: Look
    ) -> None:
        """Take back what a look of a call that was cancelled meanwhile did."""
        try:
            picked = await looking
        except DispatcherError:  # it took nothing, or what it took expires by itself
            return
        if isinstance(picked, Slot):
            # With its budgets, so that nothing stays set aside for it.
            usage = CallUsage(budgets=look.keywords["budgets"].of(picked.name))
            await self._finish(picked, "ignored", CallClock(), None, usage)
        else:
            leases.leave(self._redis, service, lease_id)

    def _refuse(self, service: Service, nothing: NoSlot, deadline_at_s: float, lease_id: str) -> None:
        if nothing.full and time.time() < deadline_at_s:
            return
        leases.leave(self._redis, service, lease_id)
        if nothing.spent:
            raise BudgetSpent(service, nothing.spent)
        raise NoInstanceAvailable(service, "all full" if nothing.full else "none healthy")

    async def _finish(
        self,
        slot: Slot,
        outcome: Outcome,
        clock: CallClock,
        failure: InstanceError | None,
        usage: CallUsage,
    ) -> None:
        self._held.pop(slot.lease_id, None)
        retry_after_s = failure.retry_after_s if failure else None
        try:
            changed = await leases.finish(
                self._redis,
                slot,
                outcome=outcome,
                latency_ms=clock.elapsed_ms,
                first_ms=clock.first_ms,
                cached_ratio=clock.cached_ratio,
                reason=failure.reason if failure else "",
                origin=failure.origin if failure else None,
                retry_after_ms=None if retry_after_s is None else retry_after_s * 1000,
                usage=operands(self.active.current, slot.service, slot.name, usage),
            )
        except StateError as error:  # the lease expires by itself
            log.warning("lease not given back", instance=slot.name, reason=str(error))
            return
        if changed:
            log.warning(f"instance {changed}", instance=slot.name)  # noqa: G004  one of two words

    @property
    def held_slots(self) -> int:
        """How many slots this process holds."""
        return len(self._held)

    def _hold(self, slot: Slot) -> None:
        self._held[slot.lease_id] = slot
        self.line.on_changed()
        if self._renewer is None or self._renewer.done():
            self._renewer = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        """Renew what is held, every third of a lease; ends when nothing is held."""
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            if not self._held:
                return
            slots = list(self._held.values())
            try:
                held = await leases.renew(self._redis, slots)
            except StateError as error:
                log.warning("leases not renewed", count=len(slots), reason=str(error))
                continue
            if held < len(slots):
                log.debug("leases lost", count=len(slots) - held)


def remaining_s(deadline_at_s: float) -> float:
    """Return the time left until a deadline.

    Raises:
        DeadlineExceeded: none is left.
    """
    left = deadline_at_s - time.time()
    if left <= 0:
        raise DeadlineExceeded(f"{-left:.1f} s late")
    return left
