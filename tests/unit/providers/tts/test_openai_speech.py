from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest

from dispatcher.providers.tts.openai_speech import HEAD_BYTES, _parts


def body() -> aiohttp.StreamReader:
    """Return a body of which nothing has come yet."""
    protocol: Any = SimpleNamespace(_reading_paused=False, resume_reading=lambda *_, **__: None)
    return aiohttp.StreamReader(protocol, limit=2**18, loop=asyncio.get_running_loop())


async def test_the_head_of_speech_is_taken_as_it_comes() -> None:
    content = body()
    parts = _parts(content)
    for size in (1, HEAD_BYTES - 2, 1):
        content.feed_data(b"a" * size)
        assert await anext(parts) == b"a" * size


async def test_what_comes_behind_the_head_is_taken_together() -> None:
    content = body()
    parts = _parts(content)
    content.feed_data(bytes(HEAD_BYTES))
    await anext(parts)
    following = asyncio.ensure_future(cast("Any", anext(parts)))
    await asyncio.sleep(0)
    for piece in (b"a", b"b", b"c"):
        content.feed_data(piece)
    assert await following == b"abc"


async def test_the_end_of_speech_ends_the_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dispatcher.providers.tts.openai_speech.READ_PAUSE_S", 60)
    content = body()
    parts = _parts(content)
    content.feed_data(bytes(HEAD_BYTES))
    await anext(parts)
    rest = asyncio.ensure_future(cast("Any", anext(parts)))
    await asyncio.sleep(0)
    content.feed_data(b"a")
    content.feed_eof()
    assert await rest == b"a"
    assert await anext(parts, None) is None
