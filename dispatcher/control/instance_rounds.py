"""Rounds over all instances: active health checks, and weights that follow performance."""

from __future__ import annotations

import asyncio
import time

import structlog

from dispatcher.catalogue.model import Catalogue
from dispatcher.messages import SERVICES
from dispatcher.pipeline.instance_checks import check_instance
from dispatcher.providers.registry import Providers
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import adjustments
from dispatcher.telemetry import record_stream

log = structlog.get_logger(__name__)


async def check_instances(redis: RedisClient, providers: Providers, catalogue: Catalogue) -> None:
    """Check every instance of a catalogue at once, and count the results; several in a row decide.

    Raises:
        StateError: Redis is out of reach.
    """
    instances = [each for config in catalogue.services.values() for each in config.instances]
    checks = (check_instance(redis, providers, each, rules=catalogue.health) for each in instances)
    for result in await asyncio.gather(*checks, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result  # when all others are done: only Redis is unreachable for all of them


async def adjust_weights(redis: RedisClient) -> None:
    """Compare the instances of every service, and move the factors of their weights one step.

    Raises:
        StateError: Redis is out of reach.
    """
    for service in SERVICES:
        for adjustment in await adjustments.adjust(redis, service):
            if not adjustment.changed:
                continue
            fields = {
                "service": service,
                "instance": adjustment.name,
                "before": adjustment.before,
                "after": adjustment.after,
                "why": adjustment.reason,
            }
            log.info("weight adjusted", **fields)
            decision = {"at_s": time.time(), "event": "weight adjusted", **fields}
            record_stream.add(redis, "decision", decision)
