"""The tuner at work: once a minute one step, and within a second what people ask of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any, Final

import structlog
from celery.signals import worker_ready

from dispatcher.control import tuner_evidence, tuner_store
from dispatcher.control.overrides import read_overrides
from dispatcher.control.rules.evidence import WorkerEvidence
from dispatcher.control.rules.symptoms import TunerTiming
from dispatcher.control.rules.tuner_state import Event, TunerDecision, TunerState
from dispatcher.control.rules.tuner_step import Stepped, refuse, step, undo
from dispatcher.errors import ActionRefused, StateError
from dispatcher.messages import CONTROL_QUEUE, TUNE
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.redis_client import keys
from workers.celery import app
from workers.control.actions import act, upkeep
from workers.control.actions.pools import look_at_workers
from workers.control.ticks import tick

log = structlog.get_logger(__name__)

STEP_TIMEOUT_S: Final = 50.0
LOOK_EVERY_S: Final = 1.0
# What calls and turns did since the step before, and a little more.
WINDOW_S: Final = 60.0
_TAKEN_BACK: Final[frozenset[Event]] = frozenset({"undone", "reversed"})


@app.task(name=TUNE)
@tick(TUNE)
def tune() -> None:
    """Take one step; where another control worker is at it, do nothing."""
    shared = process_context()
    try:
        shared.run(_tune(shared, look_at_workers()), timeout_s=STEP_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("no step of the tuner", reason=str(error))


async def _tune(shared: WorkerContext, workers: tuple[WorkerEvidence, ...]) -> None:
    async with tuner_store.alone(shared.redis) as mine:
        if not mine:
            return
        knobs = await read_overrides(shared.redis)
        look = tuner_evidence.Look(
            now_s=time.time(),
            window_s=WINDOW_S * shared.settings.tick_scale,
            workers=workers,
            supervised=bool(await shared.redis.execute("EXISTS", keys.supervisor(socket.gethostname()))),
            missing=tuple(_missing()),
        )
        evidence = await tuner_evidence.gather(shared.redis, shared.catalogue, look, knobs)
        mode = knobs.tuner_mode or shared.catalogue.tuner.mode
        state = await tuner_store.load(shared.redis)
        if state == TunerState():
            await tuner_store.revert_all(shared.redis)
        await _carry_out(shared, step(state, evidence, look.now_s, mode=mode, tempo=_tempo(shared)))


def _missing() -> Iterator[tuple[str, str]]:
    """Yield the kinds of action that cannot act here, with the reason."""
    if not upkeep.is_there():
        yield "records", "no records are kept here"


def _tempo(shared: WorkerContext) -> TunerTiming:
    return TunerTiming().scaled(shared.settings.tick_scale)


async def _carry_out(shared: WorkerContext, stepped: Stepped) -> None:
    """Do what was decided.

    The state is kept first where something is tried, and last where something is taken back: either way,
    what this worker does not live to write down is undone later instead of staying for ever.
    """
    takes_back = any(decision.event in _TAKEN_BACK for decision in stepped.decisions)
    state: TunerState = stepped.state
    if not takes_back:
        await tuner_store.save(shared.redis, state)
    for decision in stepped.decisions:
        state = await _do(shared, decision, state)
    if takes_back:
        await tuner_store.save(shared.redis, state)


async def _do(shared: WorkerContext, decision: TunerDecision, state: TunerState) -> TunerState:
    """Do what a decision asks for, write it down, and return the state after it."""
    if decision.event not in _TAKEN_BACK:
        await tuner_store.log_decision(shared.redis, decision)
    refused: Stepped = Stepped(state)
    if decision.act is not None:
        try:
            await act(shared, decision.act)
        except ActionRefused as error:
            refused = refuse(state, decision, str(error), time.time(), tempo=_tempo(shared))
            await tuner_store.save(shared.redis, refused.state)
    if decision.event in _TAKEN_BACK:
        await tuner_store.log_decision(shared.redis, decision)
    for each in refused.decisions:
        await tuner_store.log_decision(shared.redis, each)
    return refused.state


async def watch_requests(shared: WorkerContext) -> None:
    """Take back what people ask for, for ever."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            if await tuner_store.has_requests(shared.redis):
                await _take_back(shared)
        except StateError as error:
            log.warning("requests to the tuner not heard", reason=str(error))


async def _take_back(shared: WorkerContext) -> None:
    async with tuner_store.alone(shared.redis) as mine:
        if not mine:
            return
        for number in await tuner_store.take_requests(shared.redis):
            state = await tuner_store.load(shared.redis)
            await _carry_out(shared, undo(state, number, time.time(), tempo=_tempo(shared)))


@worker_ready.connect
def hear_requests(sender: Any, **_: Any) -> None:
    """Hear requests where this worker serves the control queue."""
    if CONTROL_QUEUE in sender.app.amqp.queues.consume_from:
        shared = process_context()
        shared.keep_running(watch_requests(shared))
