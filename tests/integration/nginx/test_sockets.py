"""Devices on their WebSocket through nginx: whole turns, the same front again, long silence, TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections import Counter

import aiohttp
import pytest

from dispatcher.settings import Settings
from tests.integration.nginx.certificate import make_certificate
from tests.integration.nginx.conftest import MakeNginx, with_weights
from tests.support.device import Device
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.nginx import Nginx, first_upstreams
from tests.support.stack import Front

TURNS = "/xiaozhi/v1"


async def connect_and_leave(nginx: Nginx, names: list[str], *, in_query: bool = False) -> None:
    """Have each device open a socket and close it again."""
    async with aiohttp.ClientSession() as http:
        for name in names:
            query = f"?device-id={name}&client-id=web" if in_query else ""
            headers = {} if in_query else {"Device-Id": name}
            opened = await http.ws_connect(f"{nginx.socket_url}{query}", headers=headers)
            await opened.close()


async def test_a_device_speaks_and_is_answered(entry: Nginx) -> None:
    async with Device.connected(entry.socket_url, device_id="02:00:00:00:00:01") as device:
        await device.hello()
        answer = await device.says()
        typed = await device.types("And now?")

    assert answer.transcript == TRANSCRIPT
    assert answer.sentences == typed.sentences == SENTENCES
    assert answer.packets


async def test_a_device_comes_back_to_its_front(entry: Nginx, fronts: tuple[Front, Front]) -> None:
    names = [f"02:00:00:00:01:{number:02x}" for number in range(20)]
    await connect_and_leave(entry, names)
    await connect_and_leave(entry, names, in_query=True)
    for front in fronts:
        front.stop()
        front.start()
    for front in fronts:
        await asyncio.to_thread(front.wait_until_ready)
    await connect_and_leave(entry, names)

    first, in_query, after_the_restart = (
        first_upstreams(entry.logged(60, uri=TURNS))[at : at + 20] for at in (0, 20, 40)
    )
    assert first == in_query == after_the_restart
    assert set(first) == {front.port for front in fronts}


async def test_devices_are_shared_about_three_to_two(entry: Nginx, fronts: tuple[Front, Front]) -> None:
    await connect_and_leave(
        entry, [f"02:00:00:00:{number // 256:02x}:{number % 256:02x}" for number in range(400)]
    )

    shares = Counter(first_upstreams(entry.logged(400, uri=TURNS)))

    assert shares[fronts[0].port] / 400 == pytest.approx(0.6, abs=0.1)


async def test_devices_of_a_dead_front_are_served_by_the_other(
    entry: Nginx, fronts: tuple[Front, Front]
) -> None:
    fronts[0].kill()

    for number in range(6):
        async with Device.connected(entry.socket_url, device_id=f"02:00:00:00:02:{number:02x}") as device:
            await device.hello()
            assert (await device.types("Still there?")).sentences == SENTENCES


async def test_who_has_no_name_goes_anywhere(entry: Nginx, fronts: tuple[Front, Front]) -> None:
    async with aiohttp.ClientSession() as http:
        for _ in range(30):
            opened = await http.ws_connect(entry.socket_url)
            await opened.close()

    assert set(first_upstreams(entry.logged(30, uri=TURNS))) == {front.port for front in fronts}


def test_nginx_never_cuts_a_silent_device_before_the_front_does(make_nginx: MakeNginx) -> None:
    text = make_nginx(start=False).files["entry.conf"]

    assert "proxy_read_timeout 1h;" in text.partition("location /xiaozhi/v1 {")[2].partition("}")[0]
    assert Settings().idle_timeout_s < 3600


async def test_the_time_without_a_word_is_that_of_the_location(
    make_nginx: MakeNginx, fronts: tuple[Front, Front]
) -> None:
    nginx = make_nginx(*with_weights(fronts), changes={"proxy_read_timeout 1h": "proxy_read_timeout 1s"})
    async with Device.connected(nginx.socket_url) as device:
        await device.hello()
        await device.is_closed()


async def test_over_tls_a_device_is_told_wss_and_answered(
    make_nginx: MakeNginx, fronts: tuple[Front, Front]
) -> None:
    certificate, key = make_certificate("localhost")
    nginx = make_nginx(*with_weights(fronts), start=False)
    nginx.enable_tls(certificate, key)
    nginx.start()
    trusting = ssl.create_default_context(cadata=certificate.decode())
    connector = aiohttp.TCPConnector(ssl=trusting)
    async with aiohttp.ClientSession(connector=connector, headers={"Device-Id": "02:00:00:00:04:01"}) as http:
        async with http.post(f"https://localhost:{nginx.https_port}/xiaozhi/ota/", data=b"{}") as response:
            told = (await response.json())["websocket"]
        assert told["url"] == f"wss://localhost:{nginx.https_port}/xiaozhi/v1/"
        async with http.ws_connect(told["url"]) as opened:
            await opened.send_json({"type": "hello", "version": 1, "transport": "websocket"})
            assert (await opened.receive_json(timeout=20))["type"] == "hello"


def test_tls_is_new_enough_and_remembers_devices(make_nginx: MakeNginx, fronts: tuple[Front, Front]) -> None:
    nginx = make_nginx(*with_weights(fronts), start=False)
    nginx.enable_tls(*make_certificate("localhost"))
    nginx.start()

    assert _handshake(nginx, ssl.TLSVersion.TLSv1_2) == ("TLSv1.2", [False, True])
    assert _handshake(nginx, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"
    with pytest.deprecated_call(), pytest.raises(ssl.SSLError):
        _handshake(nginx, ssl.TLSVersion.TLSv1_1)


def test_a_device_is_remembered_for_a_day(make_nginx: MakeNginx) -> None:
    nginx = make_nginx(start=False, changes={"ssl_session_timeout 1d": "ssl_session_timeout 1s"})
    nginx.enable_tls(*make_certificate("localhost"))
    nginx.start()

    def is_forgotten() -> bool:
        return _handshake(nginx, ssl.TLSVersion.TLSv1_2, pause_s=2)[1] == [False, False]

    assert is_forgotten(), "with one day it is known, as the test before this shows"


def _handshake(nginx: Nginx, version: ssl.TLSVersion, *, pause_s: float = 0) -> tuple[str | None, list[bool]]:
    """Connect twice; return the version, and for each time whether nginx knew the session."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Tickets would resume a session without the server's cache.
    context.options |= ssl.OP_NO_TICKET
    context.maximum_version = context.minimum_version = version
    found, session, spoken = [], None, None
    for _ in range(2):
        with (
            connect_plain(nginx) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as connection,
        ):
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            connection.recv(1024)
            found.append(bool(connection.session_reused))
            session, spoken = connection.session, connection.version()
        time.sleep(pause_s)
    return spoken, found


def connect_plain(nginx: Nginx) -> socket.socket:
    """Return a connection to the port of TLS, before its first byte."""
    return socket.create_connection(("127.0.0.1", nginx.https_port), timeout=20)
