"""What a device is told at boot, whatever it posts."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from dispatcher.front.http import ota
from dispatcher.redis_client import keys
from tests.support.waiting import soon
from tests.unit.front.front_app import CLIENT, DEVICE, STOCK_HEADERS, FrontApp, open_front_app

OTA = "/xiaozhi/ota/"
BOARD = json.dumps({"version": 2, "application": {"name": "xiaozhi", "version": "2.0.3"}}).encode()


@pytest.fixture
async def front_app(tmp_path: Path) -> AsyncIterator[FrontApp]:
    async with open_front_app(tmp_path) as opened:
        yield opened


async def told(front_app: FrontApp, body: bytes = BOARD, *, host: str = "") -> dict[str, Any]:
    """Return what a stock device is told; it is never anything but 200."""
    answer = await front_app.post(OTA, body, **({"Host": host} if host else {}))
    assert answer.status == 200
    said: dict[str, Any] = await answer.json()
    return said


@asynccontextmanager
async def half_a_request(
    front_app: FrontApp,
) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Send a device's headers and the first 20 bytes of its body, and wait until the front reads them."""

    async def has_begun() -> bool:
        return bool(front_app.begun)

    head = "".join(f"{name}: {value}\r\n" for name, value in STOCK_HEADERS.items())
    request = f"POST {OTA} HTTP/1.1\r\nHost: front_app\r\n{head}Content-Length: {len(BOARD)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(*front_app.address)
    writer.write(request.encode() + BOARD[:20])
    await soon(has_begun, what="the front reads the request")
    yield reader, writer
    writer.close()
    await writer.wait_closed()


async def test_a_device_is_told_where_to_connect_and_nothing_else(front_app: FrontApp) -> None:
    said = await told(front_app)

    # An `mqtt` object would win over the socket, and `activation` would make the device loop.
    assert set(said) == {"server_time", "firmware", "websocket"}
    host, port = front_app.address
    assert said["websocket"]["url"] == f"ws://{host}:{port}/xiaozhi/v1/"


async def test_the_token_is_good_for_the_device_that_asked(front_app: FrontApp) -> None:
    answer = await front_app.post(OTA, BOARD, **{"Device-Id": DEVICE.upper()})

    token = (await answer.json())["websocket"]["token"]
    tokens = front_app.context.status.tokens
    assert tokens is not None
    assert tokens.valid(token, client_id=CLIENT, device_id=DEVICE, now_s=time.time())


async def test_the_token_is_there_but_empty_where_tokens_are_switched_off(tmp_path: Path) -> None:
    async with open_front_app(tmp_path, front_auth="off") as front_app:
        assert (await told(front_app))["websocket"]["token"] == ""


async def test_a_device_sees_its_own_version_and_so_no_update(front_app: FrontApp) -> None:
    assert (await told(front_app))["firmware"] == {"version": "2.0.3", "url": ""}


@pytest.mark.parametrize(
    ("reported", "told_version"), [("2.0.3-beta", "2.0.3"), ("v2", "1.0.0"), (3, "3"), (None, "1.0.0")]
)
async def test_a_version_is_digits_and_dots(front_app: FrontApp, reported: object, told_version: str) -> None:
    body = json.dumps({"application": {"version": reported}}).encode()

    assert (await told(front_app, body))["firmware"]["version"] == told_version


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b'{"application": }', b"[]", b"null", b'{"application": []}', b'{"application": "x"}'),
        *(b"\xff\xfe\x00", b"[" * 60_000, b"x" * 200_000),
    ],
)
async def test_a_board_that_posts_something_else_is_answered_all_the_same(
    front_app: FrontApp, body: bytes
) -> None:
    said = await told(front_app, body)

    assert said["firmware"]["version"] == "1.0.0"
    assert said["websocket"]["url"]


async def test_a_body_that_comes_in_two_segments_is_read_whole(front_app: FrontApp) -> None:
    async with half_a_request(front_app) as (reader, writer):
        writer.write(BOARD[20:])

        assert b'"version": "2.0.3"' in await reader.readuntil(b"}}")


async def test_a_body_that_does_not_end_is_not_waited_for(
    front_app: FrontApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ota, "BODY_TIMEOUT_S", 0.05)
    async with half_a_request(front_app) as (reader, _):
        assert b'"version": "1.0.0"' in await reader.readuntil(b"}}")


async def noted_by(front_app: FrontApp) -> list[tuple[str, ...]]:
    """Return what was written of the device, which the answer does not wait for."""

    async def is_noted() -> bool:
        return bool(front_app.redis.scripts)

    await soon(is_noted, what="the device is noted")
    return front_app.redis.scripts


async def test_a_device_without_a_language_is_answered_and_not_remembered(front_app: FrontApp) -> None:
    answer = await front_app.post(OTA, BOARD, **{"Accept-Language": ""})

    assert answer.status == 200
    (noted,) = await noted_by(front_app)
    assert "accept_language" not in noted


async def test_the_clock_is_told_in_milliseconds_with_its_offset(front_app: FrontApp) -> None:
    before_ms = int(time.time() * 1000)
    said = (await told(front_app))["server_time"]

    assert before_ms <= said["timestamp"] <= time.time() * 1000
    assert -14 * 60 <= said["timezone_offset"] <= 14 * 60


async def test_the_configured_address_wins(tmp_path: Path) -> None:
    for public, told_url in (
        ("https://front_app.example", "wss://front_app.example/xiaozhi/v1/"),
        ("http://front_app.example:8000/", "ws://front_app.example:8000/xiaozhi/v1/"),
        ("wss://front_app.example", "wss://front_app.example/xiaozhi/v1/"),
    ):
        async with open_front_app(tmp_path, front_public_url=public) as front_app:
            assert (await told(front_app))["websocket"]["url"] == told_url


async def test_a_device_is_sent_to_the_host_that_it_asked(front_app: FrontApp) -> None:
    said = await told(front_app, host="192.168.1.5:8000")

    assert said["websocket"]["url"] == "ws://192.168.1.5:8000/xiaozhi/v1/"


async def test_an_odd_host_is_not_repeated(front_app: FrontApp) -> None:
    said = await told(front_app, host='front_app"/<script>')

    assert said["websocket"]["url"] == "ws://localhost:8000/xiaozhi/v1/"


async def test_the_devices_language_is_remembered(front_app: FrontApp) -> None:
    await told(front_app)

    (noted,) = await noted_by(front_app)
    assert keys.device(DEVICE) in noted
    assert noted[noted.index("accept_language") + 1] == "zh-CN"


async def test_a_device_is_answered_without_a_broker(front_app: FrontApp) -> None:
    front_app.redis.away = True

    assert (await told(front_app))["websocket"]["token"]


async def test_a_person_is_told_the_address(front_app: FrontApp) -> None:
    for path in (OTA, OTA.rstrip("/")):
        answer = await front_app.get(path, Host="front_app:8000")
        assert answer.status == 200
        assert "ws://front_app:8000/xiaozhi/v1/" in await answer.text()


async def test_the_last_slash_may_be_left_out(front_app: FrontApp) -> None:
    answer = await front_app.post(OTA.rstrip("/"), BOARD)

    assert answer.status == 200


async def test_behind_a_trusted_proxy_with_tls_a_device_is_sent_to_wss(tmp_path: Path) -> None:
    async with open_front_app(tmp_path, trusted_proxies="127.0.0.1") as front_app:
        answer = await front_app.post(
            OTA,
            BOARD,
            **{"Host": "voice.example", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"},
        )
        said = await answer.json()

    assert said["websocket"]["url"] == "wss://voice.example/xiaozhi/v1/"


async def test_a_stranger_cannot_send_a_device_to_wss(front_app: FrontApp) -> None:
    answer = await front_app.post(OTA, BOARD, **{"Host": "voice.example", "X-Forwarded-Proto": "https"})

    assert (await answer.json())["websocket"]["url"] == "ws://voice.example/xiaozhi/v1/"


MAC_ONLY: dict[str, dict[str, Any]] = {
    "mac_address": {"mac_address": DEVICE.upper()},
    "the board's mac": {"board": {"type": "wifi", "mac": DEVICE.replace(":", "-")}},
    "mac and uuid": {"mac_address": DEVICE.replace(":", ""), "uuid": CLIENT},
}


@pytest.mark.parametrize("body", MAC_ONLY.values(), ids=MAC_ONLY.keys())
async def test_a_client_that_names_its_mac_in_the_body_only_is_not_refused_with_its_token(
    front_app: FrontApp, body: dict[str, Any]
) -> None:
    answer = await front_app.post(OTA, json.dumps(body).encode(), **{"Device-Id": "", "Client-Id": ""})

    token = (await answer.json())["websocket"]["token"]
    assert front_app.context.status.tokens is not None
    assert front_app.context.status.tokens.valid(token, client_id=CLIENT, device_id=DEVICE, now_s=time.time())
    assert not front_app.context.status.tokens.valid(
        token, client_id=CLIENT, device_id="02:00:00:00:00:09", now_s=time.time()
    )


async def test_a_client_without_a_client_id_at_ota_may_show_one_later(front_app: FrontApp) -> None:
    answer = await front_app.post(OTA, BOARD, **{"Client-Id": ""})

    token = (await answer.json())["websocket"]["token"]
    tokens = front_app.context.status.tokens
    assert tokens is not None
    assert tokens.valid(token, client_id="shown-later", device_id=DEVICE, now_s=time.time())


@pytest.mark.parametrize("host", ["[::1]:8000", "[fd00::5]:8000", "[fd00::5]"])
async def test_a_device_of_an_ipv6_house_is_sent_to_an_address_in_brackets(
    front_app: FrontApp, host: str
) -> None:
    assert (await told(front_app, host=host))["websocket"]["url"] == f"ws://{host}/xiaozhi/v1/"


async def test_a_web_page_in_a_browser_of_this_host_is_given_no_token(front_app: FrontApp) -> None:
    for host in ("evil.example:8000", "localhost:8000"):
        answer = await front_app.post(OTA, BOARD, Host=host, Origin="http://evil.example:8000")

        assert answer.status == 403
        assert "evil.example" in await answer.text()
