"""Limits at the entry: too many, too fast, too slow, too large, and false claims to be local."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections import Counter
from pathlib import Path

import aiohttp
import psutil
import pytest

from tests.integration.nginx.conftest import MakeNginx, MakeServer, at_once, statuses, with_weights
from tests.support.broker import give_up
from tests.support.nginx import USER, Nginx
from tests.support.scripted_server import Exchange
from tests.support.stack import Front
from tests.support.waiting import eventually

REAL_LIMITS = {"rate=10000r/s": "rate=20r/s", "limit_conn connections 10000": "limit_conn connections 100"}
DEVICE = {"Device-Id": "02:4a:7d:e3:89:bf", "Client-Id": "a-client"}


def own_address() -> str:
    """Return an address of this machine that is not its loopback: what a device in the house would have."""
    addresses = [each for several in psutil.net_if_addrs().values() for each in several]
    found = [
        each.address
        for each in addresses
        if each.family is socket.AF_INET and not each.address.startswith("127.")
    ]
    return found[0] if found else give_up("this machine has no address but its loopback")


def conversation(nginx: Nginx, sent: bytes, *, more: bytes = b"") -> bytes:
    """Send bytes, then nothing; return all that comes until nginx closes the connection."""
    with socket.create_connection(("127.0.0.1", nginx.http_port), timeout=20) as connection:
        connection.sendall(sent)
        if more:
            connection.sendall(more)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


async def test_too_many_requests_of_one_address_get_429(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx((scripted(Exchange.answer).address, 1), changes=REAL_LIMITS)

    found = Counter(await at_once(http, f"{nginx.url}/", 200))

    assert found[200] >= 100
    assert found[429] >= 50
    assert set(found) == {200, 429}


async def test_a_page_with_thirty_files_is_within_the_limit(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx((scripted(Exchange.answer).address, 1), changes=REAL_LIMITS)

    assert await at_once(http, f"{nginx.url}/assets/app.js", 60) == [200] * 60


async def test_too_many_connections_of_one_address_get_503(
    make_nginx: MakeNginx, fronts: tuple[Front, Front]
) -> None:
    limit = {"limit_conn connections 10000": "limit_conn connections 3"}
    nginx = make_nginx(*with_weights(fronts), changes=limit)
    async with aiohttp.ClientSession() as http:
        sockets = [await http.ws_connect(nginx.socket_url) for _ in range(3)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(nginx.socket_url)
        await asyncio.gather(*(each.close() for each in sockets))

    assert refused.value.status == 503


async def test_a_house_of_fifty_devices_is_within_the_limit(
    make_nginx: MakeNginx, fronts: tuple[Front, Front]
) -> None:
    nginx = make_nginx(*with_weights(fronts), changes=REAL_LIMITS)
    async with aiohttp.ClientSession() as http:
        sockets = await asyncio.gather(*(http.ws_connect(nginx.socket_url) for _ in range(50)))
        assert not any(each.closed for each in sockets)
        await asyncio.gather(*(each.close() for each in sockets))


def test_who_is_slow_with_his_headers_is_cut_off(make_nginx: MakeNginx) -> None:
    nginx = make_nginx(changes={"client_header_timeout 10s": "client_header_timeout 1s"})

    assert conversation(nginx, b"GET / HTTP/1.1\r\nHost: ho")[:20] in {b"", b"HTTP/1.1 408 Request"}


def test_who_is_slow_with_his_body_is_cut_off(make_nginx: MakeNginx) -> None:
    nginx = make_nginx(changes={"client_body_timeout 10s": "client_body_timeout 1s"})
    head = b"POST /xiaozhi/ota/ HTTP/1.1\r\nHost: house\r\nContent-Length: 100\r\n\r\n"

    assert conversation(nginx, head, more=b"{")[:12] in {b"", b"HTTP/1.1 408"}


def test_who_does_not_read_his_answer_is_cut_off(make_nginx: MakeNginx, scripted: MakeServer) -> None:
    large = b"x" * 32 * 1024 * 1024

    def answers_at_length(exchange: Exchange) -> None:
        exchange.answer(body=large)

    front = scripted(answers_at_length)
    nginx = make_nginx((front.address, 1), changes={"send_timeout 30s": "send_timeout 1s"})
    with socket.create_connection(("127.0.0.1", nginx.http_port), timeout=20) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: house\r\n\r\n")
        (line,) = nginx.logged(1, uri="/large")

    assert line["bytes"] < len(large)


async def test_a_body_that_no_device_sends_is_refused(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    front = scripted(Exchange.answer)
    nginx = make_nginx((front.address, 1))

    async with http.post(f"{nginx.url}/xiaozhi/ota/", data=b"x" * (64 * 1024 + 1)) as response:
        assert response.status == 413
    async with http.post(f"{nginx.url}/xiaozhi/ota/", data=b"x" * 64 * 1024) as response:
        assert response.status == 200
    assert len(front.requests) == 1


async def test_nginx_says_that_it_lives_with_all_fronts_dead(
    make_nginx: MakeNginx, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx()

    async with http.get(f"{nginx.url}/health") as response:
        assert (response.status, await response.text()) == (200, "ok\n")
        assert response.content_type == "text/plain"
        assert response.headers["Server"] == "nginx", "the version is nobody's business"
    async with http.get(f"{nginx.url}/healthz") as response:
        assert response.status == 502
    assert [line["uri"] for line in nginx.logged(1)] == ["/healthz"], "a probe fills no log"


async def test_the_status_of_nginx_is_for_this_host_only(
    make_nginx: MakeNginx, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx()

    async with http.get(f"{nginx.url}/nginx_status") as response:
        assert "Active connections" in await response.text()
    async with http.get(f"http://{own_address()}:{nginx.http_port}/nginx_status") as response:
        assert response.status == 403


async def test_metrics_are_not_for_the_world(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    front = scripted(Exchange.answer)
    nginx = make_nginx((front.address, 1))

    assert await statuses(http, f"{nginx.url}/metrics", 1) == [404]
    assert not front.requests


async def test_through_nginx_a_device_of_the_house_needs_its_token(entry: Nginx) -> None:
    address = f"{own_address()}:{entry.http_port}"
    pretending = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}
    async with aiohttp.ClientSession(headers=DEVICE) as http:
        for headers in ({}, pretending):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(f"ws://{address}/xiaozhi/v1/", headers=headers)
            assert refused.value.status == 401
        async with http.post(f"http://{address}/xiaozhi/ota/", data=b"{}") as response:
            told = (await response.json())["websocket"]
        assert told["url"] == f"ws://{address}/xiaozhi/v1/"
        socket = await http.ws_connect(told["url"], headers={"Authorization": f"Bearer {told['token']}"})
        await socket.close()


async def test_through_nginx_a_client_of_this_host_needs_none(entry: Nginx) -> None:
    async with aiohttp.ClientSession(headers=DEVICE) as http:
        socket = await http.ws_connect(entry.socket_url)
        await socket.close()


async def test_past_nginx_nobody_is_local_by_what_he_says(entry: Nginx, fronts: tuple[Front, Front]) -> None:
    assert entry.runs
    async with aiohttp.ClientSession(headers=DEVICE) as http:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(fronts[0].socket_url, headers={"X-Forwarded-For": "203.0.113.9"})
    assert refused.value.status == 401


async def test_pages_are_compressed_and_short_answers_are_not(
    entry: Nginx, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{entry.url}/assets/app.js") as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Vary"] == "Accept-Encoding"
    async with http.get(f"{entry.url}/healthz") as response:
        assert "Content-Encoding" not in response.headers


async def test_the_log_says_how_long_each_part_took_and_no_token(
    entry: Nginx, http: aiohttp.ClientSession
) -> None:
    await statuses(http, f"{entry.url}/healthz?authorization=a-secret", 1)

    (line,) = entry.logged(1)

    assert line["uri"] == "/healthz"
    assert line["status"] == 200
    assert line["address"] == "127.0.0.1"
    assert line["seconds"] >= 0
    for part in ("connect_seconds", "header_seconds", "response_seconds"):
        assert float(line[part]) >= 0
    assert "a-secret" not in json.dumps(line)


def test_only_the_users_own_folder_is_written(make_nginx: MakeNginx) -> None:
    nginx = make_nginx()

    made = {path.name for path in Path(nginx.layout.run_dir).iterdir()}

    assert made == {"nginx.pid", "body", "proxy", "fastcgi", "uwsgi", "scgi"}
    assert (nginx.folder / "error.log").exists()


def test_nobody_serves_as_root(make_nginx: MakeNginx) -> None:
    nginx = make_nginx()
    if not nginx.layout.user:
        pytest.skip("nginx was not started as root")

    def users() -> set[str]:
        return {each.username() for each in psutil.Process(nginx.pid).children()}

    eventually(lambda: users() == {USER}, what="all workers are nobody's")


def test_there_is_room_for_all_devices_of_two_fronts(make_nginx: MakeNginx) -> None:
    nginx = make_nginx()
    conf = nginx.files["nginx.conf"]
    devices = 2 * 500

    for directive in ("worker_connections", "worker_rlimit_nofile"):
        room = int(conf.partition(f"{directive} ")[2].partition(";")[0])
        assert room >= 2 * devices, directive
    worker = eventually(lambda: psutil.Process(nginx.pid).children(), what="a worker")[0]
    limits = Path(f"/proc/{worker.pid}/limits").read_text(encoding="utf-8")
    assert re.search(r"Max open files +8192 +8192 ", limits), limits


def test_each_core_has_a_process(make_nginx: MakeNginx) -> None:
    nginx = make_nginx()
    cores = psutil.cpu_count()

    eventually(
        lambda: (
            sum("worker" in " ".join(each.cmdline()) for each in psutil.Process(nginx.pid).children())
            == cores
        ),
        what=f"{cores} workers",
    )
