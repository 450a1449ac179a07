"""The model services behind nginx: streams unbuffered, backups, dialogues that stay."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.integration.nginx.conftest import UNUSED, MakeNginx, MakeServer
from tests.integration.nginx.scripts import NeverAnswers, TwoParts, fails_with
from tests.support.instances import Instances
from tests.support.nginx import first_upstreams
from tests.support.scripted_server import Exchange, ScriptedServer
from tests.support.waiting import WAIT_TIMEOUT_S

SPEECH, CHAT, TRANSCRIPTS = "/tts/v1/audio/speech", "/llm/v1/chat/completions", "/asr/v1/audio/transcriptions"


def instance(server: ScriptedServer | str, **keys: Any) -> dict[str, Any]:
    address = server if isinstance(server, str) else server.address
    return {"endpoint": f"http://{address}", **keys}


async def post(
    http: aiohttp.ClientSession, url: str, body: bytes = b"{}", *, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    async with http.post(url, data=io.BytesIO(body), headers=headers) as response:
        return response.status, await response.read()


@pytest.mark.parametrize("path", [CHAT, TRANSCRIPTS])
async def test_what_an_instance_says_is_passed_on_at_once(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession, path: str
) -> None:
    streaming = TwoParts()
    server = scripted(streaming)
    nginx = make_nginx(services={"llm": [instance(server)], "asr": [instance(server)]})

    await streaming.is_passed_on(http, f"{nginx.services}{path}")


async def test_speech_reaches_the_instance_while_it_is_spoken(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    beginning_is_there = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listens(exchange: Exchange) -> None:
        exchange.read(1000)
        loop.call_soon_threadsafe(beginning_is_there.set)
        exchange.answer()

    async def speaks() -> AsyncIterator[bytes]:
        yield b"a" * 1000
        await asyncio.wait_for(beginning_is_there.wait(), WAIT_TIMEOUT_S)
        yield b"b" * 1000

    nginx = make_nginx(services={"asr": [instance(scripted(listens))]})

    async with http.post(
        f"{nginx.services}{TRANSCRIPTS}", data=speaks(), headers={"Content-Length": "2000"}
    ) as response:
        assert response.status == 200


async def test_a_long_utterance_is_let_in_and_a_film_is_not(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx(services={"asr": [instance(scripted(Exchange.answer))]})

    assert (await post(http, f"{nginx.services}{TRANSCRIPTS}", b"x" * 25 * 1024 * 1024))[0] == 200
    status, _ = await post(http, f"{nginx.services}{TRANSCRIPTS}", b"x" * (25 * 1024 * 1024 + 1))
    assert status == 413


async def test_an_instance_knows_the_name_it_is_called_by_and_keeps_its_connection(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    server: ScriptedServer = scripted(Exchange.answer)
    nginx = make_nginx(
        services={"llm": [instance(server)]}, changes={"worker_processes auto": "worker_processes 1"}
    )

    for _ in range(3):
        assert (await post(http, f"{nginx.services}{CHAT}"))[0] == 200

    assert server.per_connection == [3]
    assert server.requests[0].header("Host") == "localhost"
    assert server.requests[0].header("Connection") is None
    assert server.requests[0].head.startswith("POST /v1/chat/completions HTTP/1.1")


@pytest.mark.parametrize(("service", "path"), [("tts", SPEECH), ("tts", "/tts/v1/models"), ("llm", CHAT)])
async def test_a_backup_is_asked_only_where_the_local_one_fails(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession, service: str, path: str
) -> None:
    failing = threading.Event()

    def may_fail(exchange: Exchange) -> None:
        exchange.answer(503 if failing.is_set() else 200, b"local")

    local: ScriptedServer = scripted(may_fail)
    backup = scripted(lambda exchange: exchange.answer(200, b"backup"))
    nginx = make_nginx(services={service: [instance(local), instance(backup, priority="low")]})
    url = f"{nginx.services}{path}"

    assert await post(http, url, b"one") == (200, b"local")
    failing.set()
    assert await post(http, url, b"two") == (200, b"backup")
    local.close()
    assert await post(http, url, b"three") == (200, b"backup")
    assert [each.received for each in backup.requests] == [b"two", b"three"]


async def test_without_a_backup_the_failure_is_told(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx(services={"llm": [instance(scripted(fails_with(503)))], "tts": [instance(UNUSED)]})

    assert (await post(http, f"{nginx.services}{CHAT}"))[0] == 503
    assert (await post(http, f"{nginx.services}{SPEECH}"))[0] == 502


async def test_calls_are_shared_by_weight(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    heavy, light = scripted(Exchange.answer), scripted(Exchange.answer)
    nginx = make_nginx(services={"asr": [instance(heavy, weight=1.5), instance(light, weight=0.5)]})

    for _ in range(20):
        await post(http, f"{nginx.services}{TRANSCRIPTS}")

    assert (len(heavy.requests), len(light.requests)) == (15, 5)


@pytest.mark.parametrize("header", ["Device-Id", "Session-Id"])
async def test_a_dialogue_stays_with_its_instance(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession, header: str
) -> None:
    servers = [scripted(Exchange.answer) for _ in range(2)]
    nginx = make_nginx(services={"llm": [instance(server) for server in servers]})
    names = [f"dialogue-{number}" for number in range(20)]

    for _ in range(2):
        for name in names:
            await post(http, f"{nginx.services}{CHAT}", headers={header: name})

    chosen = first_upstreams(nginx.logged(40))
    assert chosen[:20] == chosen[20:]
    assert set(chosen) == {server.port for server in servers}


async def test_who_names_no_dialogue_stays_by_his_address(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    servers = [scripted(Exchange.answer) for _ in range(2)]
    nginx = make_nginx(services={"llm": [instance(server) for server in servers]})

    for _ in range(10):
        await post(http, f"{nginx.services}{CHAT}")

    assert sorted(len(server.requests) for server in servers) == [0, 10]


async def test_a_slow_thinker_is_waited_for_and_given_up_after_two_minutes(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    thinking = NeverAnswers()
    nginx = make_nginx(
        services={"llm": [instance(scripted(thinking))]},
        changes={"proxy_read_timeout 2m": "proxy_read_timeout 1s"},
    )

    assert (await post(http, f"{nginx.services}{CHAT}"))[0] == 504
    thinking.is_over.set()


async def test_all_three_built_in_services_answer_through_nginx(
    make_nginx: MakeNginx, instances: Instances, http: aiohttp.ClientSession
) -> None:
    services = {
        name: [instance(f"127.0.0.1:{each.port}") for each in instances.of(name)]
        for name in ("asr", "llm", "tts")
    }
    nginx = make_nginx(services=services)

    for name in services:
        async with http.get(f"{nginx.services}/{name}/health") as response:
            assert response.status == 200, name
    found = Counter(line["status"] for line in nginx.logged(3))
    assert found == {200: 3}


def lists_models_alone(exchange: Exchange) -> None:
    exchange.answer(200 if exchange.head.startswith("GET /v1/models ") else 404)


@pytest.mark.parametrize("name", ["asr", "llm", "tts"])
async def test_a_server_without_a_health_page_answers_by_its_models(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession, name: str
) -> None:
    server = scripted(lists_models_alone)
    nginx = make_nginx(services={name: [instance(server)]})

    async with http.get(f"{nginx.services}/{name}/health") as response:
        assert response.status == 200


async def test_the_health_of_a_service_without_any_server_is_a_failure(
    make_nginx: MakeNginx, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx()

    async with http.get(f"{nginx.services}/llm/health") as response:
        assert response.status == 502
