"""What a front says of itself while devices speak to it."""

from __future__ import annotations

import time

from redis import Redis

from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.telemetry import turn_log
from dispatcher.telemetry.front_presence import FrontCounts, read_connected, read_fronts
from tests.support.stack import Stack
from tests.support.waiting import soon


async def test_devices_busy_ones_and_turns_are_counted_and_each_turn_is_kept_in_short(stack: Stack) -> None:
    with Redis.from_url(stack.broker.url) as client:
        client.delete(keys.TURNS)
    redis = RedisClient(connect(stack.broker.url))

    async def counted(devices: int, busy: int) -> FrontCounts | None:
        found = (await read_fronts(redis)).values()
        return next((one for one in found if (one.devices, one.busy) == (devices, busy)), None)

    async with stack.front.device("quiet"), stack.front.device("talker") as talker:
        await talker.listen("start", mode="manual")
        await soon(lambda: counted(2, 1), what="two devices, one that listens")
        connected = await read_connected(redis)
        assert (connected["quiet"].activity, connected["talker"].activity) == ("", "listening")
        await talker.listen("stop")
        await talker.says()
        connected = await read_connected(redis)
        assert {"quiet", "talker"} <= connected.keys()
        assert all(time.time() - 60 < each.heard_at_s <= time.time() + 1 for each in connected.values())
        quiet = await soon(lambda: counted(2, 0), what="two devices, none busy")
        assert quiet is not None
        assert quiet.turns_begun >= 1
        turns = [turn for turn in await turn_log.read_since(redis, 0) if turn.outcome == "answered"]
        assert turns
        assert turns[0].first_audio_s is not None
        assert turns[0].instances_s is not None
        assert 0 < turns[0].instances_s < 5
        assert turns[0].asked
    await redis.close()
