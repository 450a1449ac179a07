"""Tuner at work: one step a minute, and within a second the undo that an operator asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from dispatcher.catalogue.model import Catalogue
from dispatcher.control import instance_control, tuner_effects, tuner_store
from dispatcher.control.evidence_reader import read_evidence, read_phrases
from dispatcher.control.overrides import RuntimeOverrides, read_overrides
from dispatcher.control.rules.evidence import TunerEvidence, WorkerEvidence
from dispatcher.control.rules.symptoms import TunerTiming
from dispatcher.control.rules.tuner_state import Event, TunerDecision, TunerState
from dispatcher.control.rules.tuner_step import Stepped, TunerTick
from dispatcher.control.worker_control import WorkerControl
from dispatcher.errors import ActionRefused, StateError
from dispatcher.messages import TunerMode
from dispatcher.redis_client.client import RedisClient

log = structlog.get_logger(__name__)

REQUESTS_POLL_INTERVAL_S: Final = 1.0
# Calls and turns since the step before, and a little more.
WINDOW_S: Final = 60.0
_REVERTS: Final[frozenset[Event]] = frozenset({"undone", "reversed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuner:
    """The tuner of one control worker; its state is in Redis, and one of them works at a time.

    Attributes:
        catalogue: returns the active one.
        cache: connection to the cache, where that is a server of its own.
        hook: the operator's own, for what no supervisor here can do; empty where there is none.
        time_scale: 0.01 makes seconds of minutes (tests).
    """

    redis: RedisClient
    workers: WorkerControl
    catalogue: Callable[[], Catalogue]
    cache: RedisClient | None = None
    hook: str = ""
    time_scale: float = 1.0

    async def step(self, workers: tuple[WorkerEvidence, ...]) -> None:
        """Take one step; where another control worker is at it, do nothing.

        Raises:
            StateError: Redis is out of reach.
        """
        async with tuner_store.try_hold(self.redis) as is_held:
            if not is_held:
                return
            overrides = await read_overrides(self.redis)
            tick = self._tick(overrides.tuner_mode or self.catalogue().tuner.mode)
            evidence = await self._evidence(workers, overrides, tick)
            state = await tuner_store.load(self.redis)
            if state == TunerState():
                await tuner_store.revert_all(self.redis)
            await self._carry_out(tick, tick.step(state, evidence))

    async def _evidence(
        self, workers: tuple[WorkerEvidence, ...], overrides: RuntimeOverrides, tick: TunerTick
    ) -> TunerEvidence:
        catalogue, window_s = self.catalogue(), WINDOW_S * self.time_scale
        seen = await read_evidence(self.redis, catalogue, overrides, now_s=tick.now_s, window_s=window_s)
        phrases = await read_phrases(self.cache or self.redis, catalogue, overrides)
        offer = await instance_control.read_offer(self.redis)
        return replace(
            seen,
            workers=workers,
            phrases=phrases,
            supervised=offer is not None,
            operable=instance_control.operable(offer, self.hook, seen.instances),
            missing=(
                *tuner_effects.missing_kinds(),
                *instance_control.missing_operations(offer, self.hook),
                *(() if phrases else tuner_effects.NO_PHRASE_KINDS),
            ),
        )

    async def poll_requests(self) -> None:
        """Take back what operators ask for, for ever."""
        while True:
            await asyncio.sleep(REQUESTS_POLL_INTERVAL_S)
            try:
                if await tuner_store.count_requests(self.redis):
                    await self._undo_requested()
            except StateError as error:
                log.warning("tuner requests not read", reason=str(error))

    async def _undo_requested(self) -> None:
        async with tuner_store.try_hold(self.redis) as is_held:
            if not is_held:
                return
            for number in await tuner_store.take_requests(self.redis):
                state, tick = await tuner_store.load(self.redis), self._tick("act")
                await self._carry_out(tick, tick.undo(state, number))

    def _tick(self, mode: TunerMode) -> TunerTick:
        return TunerTick(now_s=time.time(), mode=mode, timing=TunerTiming().scaled(self.time_scale))

    async def _carry_out(self, tick: TunerTick, stepped: Stepped) -> None:
        """Take the decided actions.

        The state is kept first where something is tried, and last where something is taken back: either way,
        a change that a dying worker leaves behind is undone later instead of staying for ever.
        """
        reverts = any(decision.event in _REVERTS for decision in stepped.decisions)
        state: TunerState = stepped.state
        if not reverts:
            await tuner_store.save(self.redis, state)
        for decision in stepped.decisions:
            state = await self._take(tick, decision, state)
        if reverts:
            await tuner_store.save(self.redis, state)

    async def _take(self, tick: TunerTick, decision: TunerDecision, state: TunerState) -> TunerState:
        """Take the action of a decision, log it, and return the state after it."""
        reverts = decision.event in _REVERTS
        if not reverts:
            await tuner_store.log_decision(self.redis, decision)
        refused = Stepped(state)
        if decision.act is not None:
            try:
                await tuner_effects.apply(self.redis, self.workers, decision.act)
            except ActionRefused as error:
                refused = tick.refuse(state, decision, str(error))
                await tuner_store.save(self.redis, refused.state)
        for each in (*((decision,) if reverts else ()), *refused.decisions):
            await tuner_store.log_decision(self.redis, each)
        return refused.state
