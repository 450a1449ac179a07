"""Can each stage of a turn begin: does a worker take its tasks, and has an instance finished loading?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from dispatcher.messages import SERVICES, Service
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import InstanceView, ServiceView, read_overview

READY: Final = "ok"


async def read_stages(redis: RedisClient) -> Mapping[Service, str]:
    """Return "ok" for each stage that can begin, for the others the reason why not.

    Raises:
        StateError: Redis is out of reach.
    """
    overview, served = await asyncio.gather(
        read_overview(redis), redis.execute("MGET", *(keys.served(service) for service in SERVICES))
    )
    return {
        view.service: _state(view, served=sign is not None)
        for view, sign in zip(overview.services, served, strict=True)
    }


def _state(view: ServiceView, *, served: bool) -> str:
    if not served:
        return "no worker"
    loading = [instance for instance in view.instances if _is_loading(instance)]
    if len(loading) < len(view.instances):
        return READY
    reasons = ", ".join(f"{instance.name} ({instance.last_reason})" for instance in loading)
    return f"no instance ready: {reasons}"


def _is_loading(instance: InstanceView) -> bool:
    """Whether an instance failed its first checks; one that was well before is not loading but failing."""
    return instance.check_run < 0 and instance.latency_ewma_ms is None
