"""The form of the keys: marked in a Redis without a number, and refused where a later version wrote it."""

from __future__ import annotations

import pytest

from dispatcher.errors import ConfigError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.key_format import KEY_FORMAT, require_known_format
from dispatcher.routing.active_catalogue import ActiveCatalogue
from tests.support.fleet import catalogue_of, llm

CATALOGUE = catalogue_of("round_robin", [llm("A")])


async def test_a_redis_without_a_number_gets_ours_and_keeps_it(redis: RedisClient) -> None:
    for _ in range(2):
        await require_known_format(redis)
        assert await redis.execute("GET", keys.KEY_FORMAT) == str(KEY_FORMAT).encode()


async def test_an_earlier_form_is_read(redis: RedisClient) -> None:
    await redis.execute("SET", keys.KEY_FORMAT, 0)
    await require_known_format(redis)
    assert await redis.execute("GET", keys.KEY_FORMAT) == b"0"


async def test_a_later_form_is_refused_before_anything_is_published(redis: RedisClient) -> None:
    await redis.execute("SET", keys.KEY_FORMAT, KEY_FORMAT + 1)
    with pytest.raises(ConfigError, match=f"are of format {KEY_FORMAT + 1}, this version reads"):
        await ActiveCatalogue(redis, CATALOGUE).sync()
    assert await redis.execute("EXISTS", keys.CATALOGUE) == 0
