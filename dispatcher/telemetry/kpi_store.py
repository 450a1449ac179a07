"""Store of the KPIs as last evaluated, of their alerts, and of the windows that shares are counted in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from dispatcher.host_metrics.host import HostSample
from dispatcher.host_metrics.process import ProcessSample
from dispatcher.kpis.alert_rules import Alert
from dispatcher.kpis.kpi_rules import Kpi
from dispatcher.kpis.shares import ShareWindow
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text

KPIS_TTL_S: Final = 60

Kind = TypeVar("Kind")

# A little less than a minute, or the tick at its end would be too early.
RECORDED_TTL_S: Final = 58


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiStatus:
    """One KPI and its alert."""

    kpi: Kpi
    alert: Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiSnapshot:
    """All KPIs of one evaluation.

    Attributes:
        judged_at_s: Unix time of the evaluation.
        host: name of the host that `box` is about; the field names are keys of `status --json`.
    """

    judged_at_s: float
    host: str
    standings: tuple[KpiStatus, ...]
    box: HostSample
    processes: tuple[ProcessSample, ...]


_SNAPSHOT: TypeAdapter[KpiSnapshot] = TypeAdapter(KpiSnapshot)
_ALERT: TypeAdapter[Alert] = TypeAdapter(Alert)
_WINDOW: TypeAdapter[ShareWindow] = TypeAdapter(ShareWindow)


async def publish(redis: RedisClient, snapshot: KpiSnapshot) -> None:
    """Publish a snapshot for `dispatcher status`, and keep the alerts.

    Raises:
        StateError: Redis is out of reach.
    """
    alerts = [word for one in snapshot.standings for word in (one.kpi.name, json.dumps(asdict(one.alert)))]
    redis.send_nowait("HSET", keys.ALERTS, *alerts)
    redis.send_nowait("HSET", keys.KPIS, "board", _SNAPSHOT.dump_json(snapshot))
    await redis.execute("EXPIRE", keys.KPIS, KPIS_TTL_S)


async def try_claim_minute(redis: RedisClient) -> bool:
    """Claim the recording of this minute; return whether the caller is to record it.

    Raises:
        StateError: Redis is out of reach.
    """
    return bool(await redis.execute("SET", keys.RECORDED, 1, "NX", "EX", RECORDED_TTL_S))


async def read_snapshot(redis: RedisClient) -> KpiSnapshot | None:
    """Return the last snapshot; None where there was none within a minute, or of a newer version.

    Raises:
        StateError: Redis is out of reach.
    """
    raw = await redis.execute("HGET", keys.KPIS, "board")
    return None if raw is None else _read(_SNAPSHOT, raw)


async def read_alerts(redis: RedisClient) -> dict[str, Alert]:
    """Return each alert as of the last evaluation, by the name of its KPI.

    Raises:
        StateError: Redis is out of reach.
    """
    return await _fields(redis, keys.ALERTS, _ALERT)


async def read_windows(redis: RedisClient) -> dict[str, ShareWindow]:
    """Return the windows that are being counted, by their group.

    Raises:
        StateError: Redis is out of reach.
    """
    return await _fields(redis, keys.SHARES, _WINDOW)


async def keep_windows(redis: RedisClient, windows: Sequence[ShareWindow]) -> None:
    """Keep these windows and no others.

    Raises:
        StateError: Redis is out of reach.
    """
    fields = [word for one in windows for word in (one.group, json.dumps(asdict(one)))]
    gone = {group.decode() for group in await redis.execute("HKEYS", keys.SHARES)} - {
        one.group for one in windows
    }
    writes: list[asyncio.Future[Any]] = []
    if fields:
        writes.append(redis.submit(("HSET", keys.SHARES, *fields)))
    if gone:
        writes.append(redis.submit(("HDEL", keys.SHARES, *gone)))
    await asyncio.gather(*writes)


async def _fields(redis: RedisClient, key: str, adapter: TypeAdapter[Kind]) -> dict[str, Kind]:
    """Return what can be read of a hash; what another version wrote counts as missing."""
    flat = as_text(await redis.execute("HGETALL", key))
    read = {name: _read(adapter, text) for name, text in flat.items()}
    return {name: value for name, value in read.items() if value is not None}


def _read(adapter: TypeAdapter[Kind], raw: str | bytes) -> Kind | None:
    try:
        return adapter.validate_json(raw)
    except ValidationError:
        return None
