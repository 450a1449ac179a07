"""Runtime overrides hold within a second where they are set for, and nonsense in one counts as not set."""

from __future__ import annotations

import aiohttp

from dispatcher.control import overrides
from dispatcher.redis_client.client import RedisClient, connect
from tests.support.stack import Stack
from tests.support.waiting import soon


async def test_a_front_lets_fewer_devices_in_as_soon_as_it_is_told(stack: Stack) -> None:
    redis = RedisClient(connect(stack.broker.url))
    async with stack.another_front() as front, front.device("first"), aiohttp.ClientSession() as session:

        async def is_refused() -> bool:
            try:
                async with session.ws_connect(front.socket_url, headers={"Device-Id": "second"}):
                    return False
            except aiohttp.WSServerHandshakeError as error:
                return error.status == 503

        assert not await is_refused()
        await overrides.set_override(redis, "max_devices", 1)
        await soon(is_refused, what="the second device is sent away")
        await overrides.set_override(redis, "max_devices", None)

        async def is_let_in() -> bool:
            return not await is_refused()

        await soon(is_let_in, what="the second device is let in again")
    await redis.close()
