"""The last hundred samples of each instance and of the host, newest first, for curves and for the tuner."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from dispatcher.host_metrics.host import HostSample
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import InstanceView, Overview

SAMPLES_KEPT: Final = 100
SAMPLES_TTL_S: Final = 3600


def add_instances(redis: RedisClient, overview: Overview, *, at_s: float) -> None:
    """Keep how every instance is now."""
    for instance in overview.instances:
        _add(redis, keys.samples(instance.service, instance.name), instance_sample(instance, at_s=at_s))


def add_host(redis: RedisClient, host: str, sample: HostSample, *, at_s: float) -> None:
    """Keep how the host, or the container, is now."""
    _add(redis, keys.host_samples(host), {"at_s": round(at_s, 3), **asdict(sample)})


def instance_sample(instance: InstanceView, *, at_s: float) -> dict[str, Any]:
    """Return what is kept of an instance, as JSON-ready fields; None is unknown."""
    return {
        "at_s": round(at_s, 3),
        "state": instance.state,
        "in_flight": instance.in_flight,
        "calls": instance.calls,
        "errors": instance.errors_ours + instance.errors_theirs + instance.errors_caller,
        "latency_mean_ms": instance.latency_mean_ms,
        "latency_ewma_ms": instance.latency_ewma_ms,
        "latency_p95_ms": instance.latency_p95_ms,
        "error_ratio": round(instance.error_ratio, 4),
        "cpu_ratio": instance.cpu_ratio,
        "memory_ratio": instance.memory_ratio,
    }


async def of_instance(redis: RedisClient, service: Service, name: str) -> list[dict[str, Any]]:
    """Return the samples of one instance, newest first.

    Raises:
        StateError: Redis is out of reach.
    """
    return await _read(redis, keys.samples(service, name))


async def of_host(redis: RedisClient, host: str) -> list[dict[str, Any]]:
    """Return the samples of one machine or container, newest first.

    Raises:
        StateError: Redis is out of reach.
    """
    return await _read(redis, keys.host_samples(host))


def _add(redis: RedisClient, key: str, sample: Mapping[str, Any]) -> None:
    redis.send_nowait("LPUSH", key, json.dumps(sample))
    redis.send_nowait("LTRIM", key, 0, SAMPLES_KEPT - 1)
    redis.send_nowait("EXPIRE", key, SAMPLES_TTL_S)


async def _read(redis: RedisClient, key: str) -> list[dict[str, Any]]:
    return [json.loads(one) for one in await redis.execute("LRANGE", key, 0, SAMPLES_KEPT - 1)]
