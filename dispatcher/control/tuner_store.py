"""Store of the tuner in Redis: state, log and requests of operators; one tuner holds it at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from dispatcher.control import owned_lock
from dispatcher.control.rules.actions import KINDS
from dispatcher.control.rules.tuner_state import TunerDecision, TunerState
from dispatcher.messages import SERVICES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing.published import read_fleets
from dispatcher.telemetry import record_stream

TUNER_MAXLEN: Final = 1_000
TUNING_TTL_MS: Final = 60_000

log = structlog.get_logger(__name__)

TUNER_REQUESTS_KEPT: Final = 20
TUNER_REQUESTS_TTL_S: Final = 60
_STATE: Final = TypeAdapter(TunerState)
# Fields of a state that an earlier version wrote.
_RENAMED: Final = {"rests": "cool_downs", "setbacks": "relapses"}
_DECISION: Final = TypeAdapter(TunerDecision)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedExperiment:
    """One experiment in the log: its first decision, and the latest about it.

    Attributes:
        latest: the last decision about it; the same as `first` while nothing followed.
    """

    first: TunerDecision
    latest: TunerDecision


@asynccontextmanager
async def try_hold(redis: RedisClient) -> AsyncIterator[bool]:
    """Yield whether this tuner may work, as no other one does; the lock ends with the block.

    Raises:
        StateError: Redis is out of reach.
    """
    lock = await owned_lock.try_acquire(redis, keys.TUNING, ttl_ms=TUNING_TTL_MS)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            await owned_lock.release(redis, lock)


async def load(redis: RedisClient) -> TunerState:
    """Return the state; one of another version, or lost with Redis, begins anew.

    Raises:
        StateError: Redis is out of reach.
    """
    written = await redis.execute("GET", keys.TUNER_STATE)
    if written is None:
        return TunerState()
    try:
        fields = json.loads(written)
        renamed = {_RENAMED.get(name, name): value for name, value in fields.items()}
        return _STATE.validate_json(json.dumps(renamed))
    except (ValueError, AttributeError) as error:  # pydantic's is a ValueError
        log.warning("tuner begins anew, its state is of another version", reason=type(error).__name__)
        return TunerState()


async def save(redis: RedisClient, state: TunerState) -> None:
    """Keep the state.

    Raises:
        StateError: Redis is out of reach.
    """
    await redis.execute("SET", keys.TUNER_STATE, _STATE.dump_json(state))


async def revert_all(redis: RedisClient) -> None:
    """Set everything that a tuner may have changed back to what is configured.

    For one without a state, such as after an upgrade: nobody else would take back what is still set.

    Raises:
        StateError: Redis is out of reach.
    """
    fields = [row.setting for row in KINDS.values() if row.effect == "instance"]
    overrides = {
        row.setting.format(name)
        for row in KINDS.values()
        if row.effect in ("override", "operate")
        for name in (*SERVICES, "instances")
    }
    for service in await read_fleets(redis):
        for name in service.names:
            redis.send_nowait("HDEL", keys.instance(service.service, name), *fields)
    await redis.execute("HDEL", keys.OVERRIDES, *sorted(overrides))


async def log_decision(redis: RedisClient, decision: TunerDecision) -> None:
    """Write a decision to the tuner's own log, to the records and to the process's log.

    Raises:
        StateError: Redis is out of reach.
    """
    text = _DECISION.dump_json(decision)
    await redis.execute("XADD", keys.TUNER, "MAXLEN", "~", TUNER_MAXLEN, "*", "decision", text)
    fields = {
        "number": decision.number,
        "cause": decision.cause,
        "action": decision.action.in_words(),
        "why": decision.why,
        "evidence": decision.evidence,
        "verdict": decision.verdict,
    }
    record_stream.add(redis, "decision", {"at_s": decision.at_s, "event": decision.event, **fields})
    log.info(f"tuner {decision.event}", **fields)  # noqa: G004  one of seven words


async def read_log(redis: RedisClient, *, count: int = TUNER_MAXLEN) -> tuple[LoggedExperiment, ...]:
    """Return the experiments that are still in the log, oldest first.

    Args:
        redis: connection to the shared state.
        count: so many of the last decisions are looked at.

    Raises:
        StateError: Redis is out of reach.
    """
    rows: dict[int, LoggedExperiment] = {}
    for _, flat in reversed(await redis.execute("XREVRANGE", keys.TUNER, "+", "-", "COUNT", count)):
        decision = _decision(as_text(flat).get("decision", ""))
        if decision is not None:
            first = rows[decision.number].first if decision.number in rows else decision
            rows[decision.number] = LoggedExperiment(first=first, latest=decision)
    return tuple(rows.values())


async def request_undo(redis: RedisClient, number: int) -> None:
    """Ask the tuner to take an experiment back.

    Raises:
        StateError: Redis is out of reach.
    """
    redis.send_nowait("RPUSH", keys.TUNER_REQUESTS, number)
    redis.send_nowait("LTRIM", keys.TUNER_REQUESTS, -TUNER_REQUESTS_KEPT, -1)
    await redis.execute("EXPIRE", keys.TUNER_REQUESTS, TUNER_REQUESTS_TTL_S)


async def count_requests(redis: RedisClient) -> int:
    """Return how many requests of operators wait.

    Raises:
        StateError: Redis is out of reach.
    """
    return int(await redis.execute("LLEN", keys.TUNER_REQUESTS))


async def take_requests(redis: RedisClient) -> Sequence[int]:
    """Return the numbers that operators want taken back, each once.

    Raises:
        StateError: Redis is out of reach.
    """
    asked = await redis.execute("LPOP", keys.TUNER_REQUESTS, TUNER_REQUESTS_KEPT)
    return [int(number) for number in asked or () if number.isdigit()]


def _decision(text: str) -> TunerDecision | None:
    try:
        return _DECISION.validate_json(text)
    except ValidationError:  # of another version; the log goes on without it
        return None
