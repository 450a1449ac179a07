"""Cache of speech in the nginx in front, emptied by nginx itself: no other user may remove its files."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from dispatcher.errors import ActionRefused, in_words
from dispatcher.settings import load_settings

NO_ADDRESS: Final = "no nginx is known here: NGINX_SERVICES_URL is not set"
# The folders of `levels=1:2` in dispatcher/ops/nginx/templates/services.conf.
SHARDS: Final = "0123456789abcdef"
CLEAR_TIMEOUT_S: Final = 10.0
_REMOVED: Final = 204
_NOTHING_KEPT: Final = 404


def address() -> str:
    """Return where nginx serves the models to those inside; empty where none is known."""
    return load_settings().nginx_services_url.rstrip("/")


async def clear(url: str) -> None:
    """Remove all speech that nginx keeps; what is asked for meanwhile is synthesised as ever.

    Raises:
        ActionRefused: nginx is out of reach, does not let us, or keeps nothing.
    """
    if not url:
        raise ActionRefused(NO_ADDRESS)
    timeout = aiohttp.ClientTimeout(total=CLEAR_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            statuses = await asyncio.gather(*(_clear_shard(session, url, shard) for shard in SHARDS))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ActionRefused(f"nginx at {url} does not answer: {in_words(error)}") from error
    refused = next((each for each in statuses if each not in {_REMOVED, _NOTHING_KEPT}), None)
    if refused is not None:
        raise ActionRefused(f"nginx at {url} did not empty its cache: HTTP {refused}; is it of this version?")
    if _REMOVED not in statuses:
        raise ActionRefused("nginx keeps no speech")


async def _clear_shard(session: aiohttp.ClientSession, url: str, shard: str) -> int:
    async with session.delete(f"{url}/tts/cache/{shard}/") as response:
        return response.status
