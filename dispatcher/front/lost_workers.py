"""Stages whose worker was lost: each front looks, one finds them, and the front of each turn is told.

It works without a supervisor and over all hosts, since whoever has a turn under way is a front.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from dispatcher import chains
from dispatcher.errors import StateError
from dispatcher.redis_client.client import RedisClient
from dispatcher.turn_store import replies, worker_heartbeats

log = structlog.get_logger(__name__)

LOST_POLL_INTERVAL_S: Final = 0.25


async def watch_workers(redis: RedisClient) -> None:
    """Look for workers that are lost, for ever, and have what they had in hand sent again at once."""
    while True:
        await asyncio.sleep(LOST_POLL_INTERVAL_S)
        try:
            messages = await worker_heartbeats.take_lost(redis)
        except StateError:  # the pump says when Redis is away
            continue
        stages = [stage for message in messages if (stage := chains.lost_stage(message)) is not None]
        if stages:
            log.warning("worker lost", stages=len(stages))
        for stream, reply in stages:
            replies.send(redis, stream, reply)
