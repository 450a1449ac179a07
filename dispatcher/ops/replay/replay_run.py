"""Run of `dispatcher replay`: recorded calls under another algorithm, or another YAML."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import RenderableType

from dispatcher.catalogue import Catalogue, ServiceConfig, load_catalogue
from dispatcher.errors import ConfigError, UnknownName
from dispatcher.messages import Algorithm, Service
from dispatcher.ops.bench.progress import BenchProgress
from dispatcher.ops.replay.recorded_calls import Estimator, RecordedCall, calls_of
from dispatcher.ops.replay.replay_figures import compare
from dispatcher.ops.replay.replay_view import comparison_view, turn_view
from dispatcher.ops.replay.replay_world import Outcome, ReplayWorld
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.prefixed import prefixed_client
from dispatcher.routing import decisions, instance_table
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.terminal.console import make_console

# Fewer say nothing about shares, and less about times.
FEWEST_CALLS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """A replay to run.

    Attributes:
        algorithm: None keeps the one of the catalogue.
        last: only so many of the newest decisions; None takes all that are kept.
        turn: beginning of a turn's id whose calls are shown one by one; empty shows the comparison.
        config: a YAML with other instances, weights and caps; None takes what is active.
    """

    algorithm: Algorithm | None
    service: Service
    last: int | None
    turn: str
    config: Path | None
    seed: int


async def run_replay(redis: RedisClient, plan: ReplayPlan) -> None:
    """Replay what is recorded and print what it says.

    Raises:
        UnknownName: too little is recorded, or nothing of the turn.
        ConfigError: the YAML has problems, or the service has no instances in it.
        StateError: Redis is out of reach.
    """
    catalogue = await _catalogue(redis, plan.config)
    config = _service_config(catalogue, plan)
    most = decisions.MOST_ENTRIES if plan.last is None else plan.last
    calls, left_out = calls_of(await decisions.newest(redis, plan.service, most=most))
    refuse_too_few(calls, plan)
    console = make_console()
    estimator = Estimator(calls, random.Random(plan.seed))  # noqa: S311  a simulation
    with BenchProgress(console) as progress, progress.step("replaying", len(calls)) as on_call:
        async with prefixed_client(resolve_settings().redis_url) as scratch:
            world = ReplayWorld(
                scratch, config, estimator, longest_wait_s=catalogue.conversation.turn_timeout_s
            )
            outcome = await world.run(calls, on_call)
    if plan.turn:
        console.print(_one_turn(calls, outcome, plan.turn))
        return
    heading = f"of {plan.service}, recorded → replayed under {config.algorithm}"
    if plan.config:
        heading += f" of {plan.config}"
    console.print(comparison_view(compare(calls, outcome, left_out=left_out), heading))


async def _catalogue(redis: RedisClient, config: Path | None) -> Catalogue:
    if config is not None:
        return load_catalogue(config)
    found = await instance_table.read_active(redis)
    if found is None:
        raise UnknownName("no catalogue is in force yet; start the dispatcher first, or give --config")
    return found.catalogue


def _service_config(catalogue: Catalogue, plan: ReplayPlan) -> ServiceConfig:
    config = catalogue.services[plan.service]
    if not config.instances:
        raise ConfigError([f"{catalogue.path}: {plan.service} has no instances to replay on"])
    return config if plan.algorithm is None else replace(config, algorithm=plan.algorithm)


def refuse_too_few(calls: Sequence[RecordedCall], plan: ReplayPlan) -> None:
    """Refuse what would say too little.

    Raises:
        UnknownName: too few calls were asked for, or are recorded.
    """
    if plan.last is not None and plan.last < FEWEST_CALLS:
        raise UnknownName(f"--last {plan.last} says too little: a replay needs at least {FEWEST_CALLS} calls")
    if len(calls) < FEWEST_CALLS:
        raise UnknownName(
            f"{len(calls)} finished {plan.service} calls are recorded; a replay needs at least "
            f"{FEWEST_CALLS}. Let some turns pass, then try again"
        )


def _one_turn(calls: Sequence[RecordedCall], outcome: Outcome, prefix: str) -> RenderableType:
    """Return the view of the calls of one turn."""
    turns = sorted({call.turn_id for call in calls if call.turn_id.startswith(prefix)})
    if len(turns) != 1:
        found = f"several turns: {', '.join(turns)}" if turns else "no turn that is recorded"
        raise UnknownName(f"{prefix} begins the id of {found}")
    chosen = [(call, now) for call, now in zip(calls, outcome.calls, strict=True) if call.turn_id == turns[0]]
    return turn_view([call for call, _ in chosen], [now for _, now in chosen])
