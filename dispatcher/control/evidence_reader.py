"""Evidence for the tuner, read from what calls, turns, fronts and the host left in Redis."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from dispatcher.catalogue.model import Catalogue, Instance
from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.control.rules.evidence import InstanceEvidence, Measures, PhraseEvidence, TunerEvidence
from dispatcher.dialogue_store.phrase_figures import MB, read_figures_if_there
from dispatcher.kpis.kpi_rules import TurnFacts
from dispatcher.messages import SERVICES, Priority
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.routing import instance_table
from dispatcher.routing.overview import InstanceView, Overview, read_overview
from dispatcher.telemetry import front_presence, kpi_store, turn_log

# A call whose pick is older than this is rare, and counts for no instance.
MAX_CALL_S: Final = 60.0
MAX_DECISIONS: Final = 10_000
LEAST_EVICTED_BYTES: Final = 10_000
_PRIORITIES: Final[Mapping[str, Priority]] = {"high": "high", "normal": "normal", "low": "low"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """The calls that ended within the window: all of them and the failed ones, by instance."""

    ended: Counter[str]
    failed: Counter[str]

    def error_ratio(self, *names: str) -> float | None:
        """Return the share of calls that failed; None without calls."""
        ended = sum(self.ended[name] for name in names)
        return sum(self.failed[name] for name in names) / ended if ended else None


async def read_evidence(
    redis: RedisClient, catalogue: Catalogue, overrides: RuntimeOverrides, *, now_s: float, window_s: float
) -> TunerEvidence:
    """Return the evidence that is in Redis; workers, supervisor and missing kinds are for the caller to add.

    Args:
        redis: connection to the shared state.
        catalogue: the active one.
        overrides: as they stand.
        now_s: Unix time.
        window_s: calls and turns that ended within it count.

    Raises:
        StateError: Redis is out of reach.
    """
    overview, calls, turns, fronts, snapshot = await asyncio.gather(
        read_overview(redis),
        _read_calls(redis, from_s=now_s - window_s),
        turn_log.read_since(redis, now_s - window_s),
        front_presence.read_fronts(redis),
        kpi_store.read_snapshot(redis),
    )
    counted = [turn for turn in turns if turn.counts]
    return replace(
        _overridden(overrides, at_s=now_s, measures=_measures(overview, calls, counted, snapshot)),
        calls=max(len(counted), sum(calls.ended.values())),
        instances=await _instances(redis, catalogue, overview, calls),
        queued=tuple(overview.queues.items()),
        devices=max((front.devices for front in fronts.values()), default=None),
    )


def _overridden(overrides: RuntimeOverrides, *, at_s: float, measures: Measures) -> TunerEvidence:
    """Return what was measured, and what is set differently from what is configured."""
    return TunerEvidence(
        at_s=at_s,
        measures=measures,
        device_limit=overrides.max_devices,
        reply_kept_s=overrides.reply_kept_s,
        extra_workers=tuple(overrides.extra_workers.items()),
        extra_instances=tuple(overrides.extra_instances.items()),
        is_throttled=overrides.is_throttled,
    )


async def read_phrases(
    cache: RedisClient, catalogue: Catalogue, overrides: RuntimeOverrides
) -> PhraseEvidence | None:
    """Return the evidence of the phrase cache; None where it is off or out of reach."""
    figures = await read_figures_if_there(cache) if catalogue.phrase_cache.is_on else None
    if figures is None:
        return None
    return PhraseEvidence(
        max_mb=catalogue.phrase_cache.max_mb,
        extra_mb=overrides.phrase_cache_extra_mb,
        used_mb=figures.used_bytes / MB,
        # What counts less than a phrase's size was put out long ago.
        evicted_mb=figures.evicted_bytes / MB if figures.evicted_bytes > LEAST_EVICTED_BYTES else 0.0,
        saved_s_per_mb=figures.saved_s_per_mb,
    )


def _measures(
    overview: Overview, calls: _Calls, turns: Sequence[TurnFacts], snapshot: kpi_store.KpiSnapshot | None
) -> Measures:
    first_audio_ms = [turn.first_audio_s * 1000 for turn in turns if turn.first_audio_s is not None]
    return Measures(
        errors=_errors(overview, calls, [turn.is_error and not turn.is_turned_away for turn in turns]),
        memory=snapshot.box.memory_ratio if snapshot else None,
        response=median(first_audio_ms) if first_audio_ms else None,
        cpu=snapshot.box.cpu_ratio if snapshot else None,
    )


def _errors(overview: Overview, calls: _Calls, turns: Sequence[bool]) -> float | None:
    """Return the worst of: turns without an answer, and failed calls of each service.

    A call that fails and is saved by another instance is no lost turn, but it is time lost, and the
    reserve is in use.
    """
    ratios = [calls.error_ratio(*(each.name for each in one.instances)) for one in overview.services]
    ratios.append(sum(turns) / len(turns) if turns else None)
    return max((ratio for ratio in ratios if ratio is not None), default=None)


async def _read_calls(redis: RedisClient, *, from_s: float) -> _Calls:
    """Return the calls of the window, from the stream of decisions."""
    from_ms = round(from_s * 1000)
    entries = await redis.execute(
        *("XREVRANGE", keys.DECISIONS, "+", from_ms - round(MAX_CALL_S * 1000), "COUNT", MAX_DECISIONS)
    )
    picked: dict[str, str] = {}
    calls = _Calls(ended=Counter(), failed=Counter())
    for entry_id, flat in reversed(entries):
        fields = as_text(flat)
        if "instance" in fields:
            picked[fields["lease"]] = fields["instance"]
        elif int(entry_id.partition(b"-")[0]) >= from_ms and fields.get("outcome") in ("ok", "failed"):
            name = picked.get(fields["lease"], "")
            calls.ended[name] += 1
            calls.failed[name] += fields["outcome"] == "failed"
    return calls


async def _instances(
    redis: RedisClient, catalogue: Catalogue, overview: Overview, calls: _Calls
) -> tuple[InstanceEvidence, ...]:
    views = {(view.service, view.name): view for view in overview.instances}
    configured = list(_configured(catalogue))
    learned = await asyncio.gather(
        *(instance_table.read(redis, each.service, each.name) for each in configured)
    )
    return tuple(
        _instance(each, views[each.service, each.name], fields, calls)
        for each, fields in zip(configured, learned, strict=True)
        if (each.service, each.name) in views
    )


def _configured(catalogue: Catalogue) -> Iterator[Instance]:
    for service in SERVICES:
        yield from catalogue.services[service].instances


def _instance(
    configured: Instance, view: InstanceView, fields: Mapping[str, str], calls: _Calls
) -> InstanceEvidence:
    limit = fields.get("cap_limit", "")
    return InstanceEvidence(
        service=configured.service,
        name=configured.name,
        is_local=_is_local(configured.endpoint),
        is_usable=view.is_usable,
        cap=configured.max_concurrent,
        cap_limit=int(float(limit)) if limit else None,
        is_cap_held=view.cap_held is not None,
        priority=configured.priority,
        priority_override=_PRIORITIES.get(fields.get("priority_override", "")),
        in_flight=view.in_flight,
        latency_ms=view.latency_ewma_ms,
        error_ratio=calls.error_ratio(configured.name),
    )


def _is_local(endpoint: str) -> bool:
    """Return whether an address is of this host: its load is then the host's load."""
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
