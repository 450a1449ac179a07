"""Runtime overrides in Redis: what is set is read, and nonsense counts as not set."""

from __future__ import annotations

from dispatcher.control import overrides
from dispatcher.control.overrides import RuntimeOverrides, read_overrides
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient


async def test_overrides_that_make_no_sense_count_as_not_set(redis: RedisClient) -> None:
    assert await read_overrides(redis) == RuntimeOverrides()
    await redis.execute(
        "HSET", keys.OVERRIDES, "max_devices", "many", "reply_kept_s", "-1", "tuner_mode", "wild"
    )
    assert await read_overrides(redis) == RuntimeOverrides()
    await overrides.set_override(redis, "max_devices", 0.5)
    await overrides.set_override(redis, "reply_kept_s", 1.5)
    await overrides.set_override(redis, "tuner_mode", "act")
    await overrides.set_override(redis, overrides.extra_workers_name("tts"), 2)
    assert await read_overrides(redis) == RuntimeOverrides(
        max_devices=1, reply_kept_s=1.5, extra_workers={"tts": 2}, tuner_mode="act"
    )
