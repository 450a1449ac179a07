"""Decisions of the pick script with their reasons: a stream read backwards, picks joined with their ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.errors import UnknownName
from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text, clock_ms
from dispatcher.routing.rules.constants import PROBE_REASON

CHUNK: Final = 500
# The stream keeps about 5 000 entries; whatever is wrong with it, a reader stops here.
MOST_ENTRIES: Final = 20_000
SHORTEST_PREFIX: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a call ended: "ok", "failed" or "ignored" (nobody's fault), after how many ms; what went wrong."""

    outcome: str
    latency_ms: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One pick, and what became of the call.

    Attributes:
        at_ms: Unix time of the pick, by the clock of Redis.
        instance: who got the call.
        reason: why, with the loads that were compared.
        candidates: every instance of the service with what it had room for, or why it could not.
        end: None while the call is under way, and when its worker died.
        held: its lease has not expired, so the call is under way.
    """

    at_ms: int
    turn_id: str
    service: Service
    lease_id: str
    instance: str
    reason: str
    candidates: tuple[str, ...]
    end: End | None = None
    held: bool = False

    @property
    def is_probe(self) -> bool:
        """Whether nobody waited for it: it only showed how an instance does that is slow or comes back."""
        return self.reason.endswith(f": {PROBE_REASON}")


async def of_turn(redis: RedisClient, turn_id: str) -> tuple[Decision, ...]:
    """Return the decisions of one turn, oldest first.

    Args:
        redis: connection to the shared state.
        turn_id: the turn's id, or its first characters, at least six.

    Raises:
        UnknownName: no decision, or those of several turns, are kept under it; or it is too short.
        StateError: Redis is out of reach.
    """
    if len(turn_id) < SHORTEST_PREFIX:
        raise UnknownName(f"{turn_id!r} is too short for a turn: give at least {SHORTEST_PREFIX} characters")
    picks: list[Decision] = []
    ends: dict[str, End] = {}
    looked_at = 0
    async for entry_id, fields in _newest_first(redis):
        looked_at += 1
        if "outcome" in fields:
            ends[fields["lease"]] = _end(fields)
        elif fields.get("turn", "").startswith(turn_id):
            picks.append(_pick(entry_id, fields))
    return await _joined(redis, _of_one_turn(turn_id, picks, looked_at), ends)


async def newest(
    redis: RedisClient, service: Service, *, since: str = "-", most: int = MOST_ENTRIES
) -> tuple[Decision, ...]:
    """Return the decisions of one service in all turns, oldest first, each with its end where it has one.

    Args:
        redis: connection to the shared state.
        service: whose decisions.
        since: id of an entry; only those after it are looked at.
        most: at most so many decisions, the newest ones.

    Raises:
        StateError: Redis is out of reach.
    """
    picks: list[Decision] = []
    ends: dict[str, End] = {}
    async for entry_id, fields in _newest_first(redis, f"({since}" if since != "-" else "-"):
        if "outcome" in fields:
            ends[fields["lease"]] = _end(fields)
        elif fields.get("service") == service:
            picks.append(_pick(entry_id, fields))
        if len(picks) == most:
            break
    return tuple(replace(pick, end=ends.get(pick.lease_id)) for pick in reversed(picks))


async def last_id(redis: RedisClient) -> str:
    """Return the id of the newest entry, "-" where there is none; for `newest`."""
    entries = await redis.execute("XREVRANGE", keys.DECISIONS, "+", "-", "COUNT", 1)
    return str(entries[0][0].decode()) if entries else "-"


async def _newest_first(redis: RedisClient, since: str = "-") -> AsyncIterator[tuple[str, Mapping[str, str]]]:
    """Yield the id and the fields of entries from the newest to the oldest, read in chunks."""
    before = "+"
    for _ in range(MOST_ENTRIES // CHUNK):
        chunk = await redis.execute("XREVRANGE", keys.DECISIONS, before, since, "COUNT", CHUNK)
        for entry_id, flat in chunk:
            yield entry_id.decode(), as_text(flat)
        if len(chunk) < CHUNK:
            return
        before = f"({chunk[-1][0].decode()}"


async def _joined(
    redis: RedisClient, picks: Sequence[Decision], ends: Mapping[str, End]
) -> tuple[Decision, ...]:
    clock, *expiries = await asyncio.gather(
        redis.submit(("TIME",)),
        *(
            redis.submit(("ZSCORE", keys.leases(pick.service, pick.instance), pick.lease_id))
            for pick in picks
        ),
    )
    now_ms = clock_ms(clock)
    return tuple(
        replace(
            pick,
            end=ends.get(pick.lease_id),
            held=expiry is not None and float(expiry) > now_ms,
        )
        for pick, expiry in zip(picks, expiries, strict=True)
    )


def _end(fields: Mapping[str, str]) -> End:
    return End(
        outcome=fields["outcome"],
        latency_ms=float(fields.get("latency_ms", 0)),
        reason=fields.get("reason", ""),
    )


def _pick(entry_id: str, fields: Mapping[str, str]) -> Decision:
    return Decision(
        at_ms=int(entry_id.partition("-")[0]),
        turn_id=fields["turn"],
        service=next(service for service in SERVICES if service == fields["service"]),
        lease_id=fields["lease"],
        instance=fields["instance"],
        reason=fields["reason"],
        candidates=tuple(fields["candidates"].split(", ")),
    )


def _of_one_turn(prefix: str, picks: Sequence[Decision], looked_at: int) -> list[Decision]:
    """Return the picks of the only turn that is meant, oldest first."""
    turns = sorted({pick.turn_id for pick in picks})
    if not turns:
        raise UnknownName(
            f"no call of turn {prefix} among the {looked_at} entries that are kept of decisions"
        )
    if len(turns) > 1 and prefix not in turns:
        raise UnknownName(f"{prefix} begins the ids of several turns: {', '.join(turns)}")
    turn_id = prefix if prefix in turns else turns[0]
    return [pick for pick in reversed(picks) if pick.turn_id == turn_id]
