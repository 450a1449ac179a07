"""Speech from the cache: the body is the key, and nothing is ever spoken for another's words."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from edge_tts import communicate

from dispatcher.bundled.edge_engine import EdgeEngine, EdgeOptions
from dispatcher.control import speech_cache
from dispatcher.errors import ActionRefused
from tests.integration.nginx.conftest import MakeNginx, MakeServer
from tests.support.encoded import likeness, speech
from tests.support.instances import Instances
from tests.support.nginx import Nginx
from tests.support.scripted_server import Exchange
from tests.support.services.edge_tts import FakeEdge
from tests.support.waiting import eventually, soon
from tests.unit.bundled.instances import serving

SPEECH = "/tts/v1/audio/speech"


def speaks(exchange: Exchange) -> None:
    """Answer with what was asked, as sound that must not be kept."""
    exchange.answer(
        body=b"sound of " + exchange.body(),
        headers="Cache-Control: no-store\r\nSet-Cookie: a=b\r\nVary: *\r\n",
    )


async def speak(
    http: aiohttp.ClientSession, nginx: Nginx, body: bytes | AsyncIterator[bytes]
) -> tuple[str, bytes]:
    """Return what nginx says of its cache, and the sound."""
    async with http.post(f"{nginx.services}{SPEECH}", data=body) as response:
        sound = await response.read()
        assert response.status == 200, sound
        return response.headers["X-Cache-Status"], sound


@pytest.fixture
def nginx(make_nginx: MakeNginx, scripted: MakeServer) -> Nginx:
    server = scripted(speaks)
    return make_nginx(services={"tts": [{"endpoint": f"http://{server.address}"}]})


async def test_a_built_in_voice_is_asked_once_for_the_same_words(
    make_nginx: MakeNginx, instances: Instances, http: aiohttp.ClientSession
) -> None:
    voices = [{"endpoint": f"http://127.0.0.1:{each.port}"} for each in instances.of("tts")]
    nginx = make_nginx(services={"tts": voices})
    words, others = (
        json.dumps({"input": text, "response_format": "pcm"}).encode()
        for text in ("Good morning.", "Good night.")
    )

    first, again, other = [await speak(http, nginx, body) for body in (words, words, others)]

    assert [status for status, _ in (first, again, other)] == ["MISS", "HIT", "MISS"]
    assert first[1] == again[1] != other[1]
    assert [line["cache"] for line in nginx.logged(3)] == ["MISS", "HIT", "MISS"]


async def test_an_edge_voice_is_asked_once_for_the_same_words(
    make_nginx: MakeNginx, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FakeEdge.serving() as service, serving("tts", EdgeEngine(EdgeOptions())) as instance:
        monkeypatch.setattr(communicate, "WSS_URL", service.url)
        nginx = make_nginx(services={"tts": [{"endpoint": str(instance.make_url(""))}]})
        words = b'{"input": "Good morning.", "response_format": "pcm"}'
        service.fault = "dies"
        with pytest.raises(aiohttp.ClientPayloadError):
            await speak(http, nginx, words)
        service.fault = ""

        first, again = [await speak(http, nginx, words) for _ in range(2)]

    assert (first[0], again[0]) == ("MISS", "HIT")
    assert first[1] == again[1]
    assert likeness(again[1], speech()) > 0.95


async def test_two_long_texts_that_differ_at_their_end_are_two(
    nginx: Nginx, http: aiohttp.ClientSession
) -> None:
    texts = [b"x" * (32 * 1024 - 1) + end for end in (b"a", b"b")]

    assert [await speak(http, nginx, text) for text in texts] == [
        ("MISS", b"sound of " + text) for text in texts
    ]


async def test_a_text_that_comes_in_pieces_is_a_key_too(nginx: Nginx, http: aiohttp.ClientSession) -> None:
    async def in_pieces(text: bytes) -> AsyncIterator[bytes]:
        for at in range(0, len(text), 100):
            yield text[at : at + 100]

    texts = [b"x" * 30_000 + end for end in (b"a", b"b")]
    found = [await speak(http, nginx, in_pieces(text)) for text in (*texts, texts[0])]

    assert [status for status, _ in found] == ["MISS", "MISS", "HIT"]
    assert [sound[-1:] for _, sound in found] == [b"a", b"b", b"a"]


async def test_a_text_too_long_for_memory_is_refused(nginx: Nginx, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{nginx.services}{SPEECH}", data=b"x" * (32 * 1024 + 1)) as response:
        assert response.status == 413


async def test_a_body_that_nginx_could_not_keep_in_memory_is_never_a_key(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    # Should limit and buffer ever be set apart: two texts would be one.
    server = scripted(speaks)
    nginx = make_nginx(
        services={"tts": [{"endpoint": f"http://{server.address}"}]},
        changes={"client_body_buffer_size 64k": "client_body_buffer_size 8k"},
    )
    texts = [b"x" * 30_000 + end for end in (b"a", b"b")]

    found = [await speak(http, nginx, text) for text in texts * 2]

    assert [status for status, _ in found] == ["BYPASS"] * 4
    assert [sound[-1:] for _, sound in found] == [b"a", b"b", b"a", b"b"]


async def test_who_asks_together_for_the_same_is_answered_by_one_call(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def speaks_when_told(exchange: Exchange) -> None:
        exchange.body()
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(20)
        speaks(exchange)

    server = scripted(speaks_when_told)
    nginx = make_nginx(services={"tts": [{"endpoint": f"http://{server.address}"}]})
    asking = [asyncio.create_task(speak(http, nginx, b"together")) for _ in range(5)]
    await asyncio.to_thread(eventually, lambda: server.requests, what="the instance is asked")
    gate.set()
    found = await asyncio.gather(*asking)

    assert Counter(status for status, _ in found) == {"MISS": 1, "HIT": 4}
    assert len(server.requests) == 1


async def test_a_failure_is_not_kept(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    answers = iter([404, 200])

    def fails_once(exchange: Exchange) -> None:
        exchange.answer(next(answers))

    server = scripted(fails_once)
    nginx = make_nginx(services={"tts": [{"endpoint": f"http://{server.address}"}]})
    for status in (404, 200):
        async with http.post(f"{nginx.services}{SPEECH}", data=b"words") as response:
            assert response.status == status
            assert response.headers["X-Cache-Status"] == "MISS"


async def test_speech_is_kept_for_its_time_and_made_anew(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    server = scripted(speaks)
    nginx = make_nginx(
        services={"tts": [{"endpoint": f"http://{server.address}"}]},
        changes={"proxy_cache_valid 200 1h": "proxy_cache_valid 200 1s"},
    )
    assert (await speak(http, nginx, b"words"))[0] == "MISS"

    async def is_made_anew() -> bool:
        return (await speak(http, nginx, b"words"))[0] == "EXPIRED"

    await soon(is_made_anew, what="the hour is over")


async def test_speech_lies_in_its_folder_and_outlives_a_restart(
    nginx: Nginx, http: aiohttp.ClientSession
) -> None:
    await speak(http, nginx, b"words")
    nginx.stop()
    kept = kept_files(nginx)
    nginx.start()

    (path,) = kept
    assert len(path.relative_to(nginx.layout.cache_dir).parts) == 3, "two levels of folders"
    async with aiohttp.ClientSession() as http_again:
        assert (await speak(http_again, nginx, b"words"))[0] == "HIT"


def kept_files(nginx: Nginx) -> list[Path]:
    """Return the files of the cache."""
    return [Path(folder) / name for folder, _, names in os.walk(nginx.layout.cache_dir) for name in names]


async def test_the_cache_is_emptied_for_the_tuner_and_read_by_nobody(
    nginx: Nginx, http: aiohttp.ClientSession
) -> None:
    for number in range(20):
        await speak(http, nginx, b"words %d" % number)
    kept = kept_files(nginx)
    shard = kept[0].relative_to(nginx.layout.cache_dir).parts[0]
    for method in ("GET", "PUT", "POST"):
        async with http.request(method, f"{nginx.services}/tts/cache/{shard}/") as response:
            assert response.status == 403
    assert len(kept_files(nginx)) == len(kept) == 20

    await speech_cache.clear(nginx.services)

    assert kept_files(nginx) == []
    assert [(await speak(http, nginx, b"words 1"))[0] for _ in range(2)] == ["MISS", "HIT"]
    await speech_cache.clear(nginx.services)
    with pytest.raises(ActionRefused, match="nginx keeps no speech"):
        await speech_cache.clear(nginx.services)


def test_the_cache_is_bounded_and_lasts_an_hour(nginx: Nginx) -> None:
    line = next(each for each in nginx.files["services.conf"].splitlines() if "proxy_cache_path" in each)

    assert "max_size=1g" in line
    assert "inactive=1h" in line
