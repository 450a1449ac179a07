"""Format of the keys in a Redis: a number there, so that no process misreads what a later version wrote."""

from __future__ import annotations

from typing import Final

from dispatcher.errors import ConfigError
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient

# Raise it with a change that the versions before would read wrongly; what is only added needs none.
KEY_FORMAT: Final = 1


async def require_known_format(redis: RedisClient) -> None:
    """Do nothing where this version reads the keys of a Redis; one without a number gets ours.

    States from before there was a number are of format 1.

    Raises:
        StateError: Redis is out of reach.
        ConfigError: a later version wrote the keys.
    """
    redis.send_nowait("SET", keys.KEY_FORMAT, KEY_FORMAT, "NX", repeatable=True)
    found = await redis.execute("GET", keys.KEY_FORMAT)
    if found is not None and int(found) > KEY_FORMAT:
        problem = (
            f"the keys in this Redis are of format {int(found)}, this version reads {KEY_FORMAT}: "
            "start the newer version again, or give this one another Redis (docs/upgrade.md)"
        )
        raise ConfigError([problem])
