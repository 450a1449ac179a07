"""The WebSocket endpoint: who is let in, who is told why not, and what is given back at the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from dispatcher.front.admission.tokens import Tokens
from dispatcher.front.connection.front_context import CONTEXT
from dispatcher.front.http.device_socket import connect_device
from tests.unit.front.fakes import DEVICE, FakeFront, fake_front

HEADERS = {"Device-Id": DEVICE, "Client-Id": "mine", "Protocol-Version": "1"}
HELLO = json.dumps({"type": "hello", "version": 1, "transport": "websocket"})
Client = TestClient[web.Request, web.Application]
Served = Callable[..., Awaitable[tuple[FakeFront, Client]]]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    """Serves the endpoint alone, by settings of the front."""
    clients: list[Client] = []

    async def serve(**settings: Any) -> tuple[FakeFront, Client]:
        front = fake_front(**settings)
        app = web.Application()
        app[CONTEXT] = front.context
        app.router.add_get("/ws", connect_device)
        client = TestClient(TestServer(app))
        await client.start_server()
        clients.append(client)
        return front, client

    yield serve
    for client in clients:
        await client.close()


async def status_of(client: Client, **headers: str) -> tuple[int, str]:
    """Return how a handshake is answered that is refused."""
    async with client.get("/ws", headers={**HEADERS, **headers}) as answer:
        return answer.status, await answer.text()


async def test_a_device_is_greeted_and_its_place_is_free_when_it_leaves(served: Served) -> None:
    front, client = await served()
    async with client.ws_connect("/ws", headers=HEADERS) as socket:
        await socket.send_str(HELLO)
        assert (await socket.receive_json(timeout=10))["type"] == "hello"
        assert len(front.context.socket_limiter) == 1
        assert DEVICE in front.context.devices
    await client.close()
    assert len(front.context.socket_limiter) == 0
    assert front.context.devices == {}


async def test_from_elsewhere_a_token_is_needed_and_its_lack_is_counted(served: Served) -> None:
    front, client = await served(trusted_proxies="127.0.0.1")
    front.context.status.tokens = Tokens(b"k" * 64)
    status, text = await status_of(client, **{"X-Forwarded-For": "192.0.2.7"})
    assert (status, text.partition(";")[0]) == (401, "token missing, invalid or older than 30 days")
    assert len(front.context.socket_limiter) == 0


async def test_a_front_that_drains_sends_devices_elsewhere(served: Served) -> None:
    front, client = await served()
    front.context.status.draining = True
    assert await status_of(client) == (503, "this front stops")


async def test_a_blocked_device_is_told_so_and_takes_no_place(served: Served) -> None:
    front, client = await served()
    front.register(blocked="1")
    status, text = await status_of(client)
    assert status == 403
    assert text.startswith(f"{DEVICE} is blocked")
    assert len(front.context.socket_limiter) == 0


async def test_where_codes_are_asked_for_only_this_host_needs_none(served: Served) -> None:
    front, client = await served(activation="on", trusted_proxies="127.0.0.1")
    elsewhere = {"X-Forwarded-For": "192.0.2.7"}
    status, text = await status_of(client, **elsewhere)
    assert status == 403
    assert "is not activated" in text
    front.register(activated="1")
    async with client.ws_connect("/ws", headers={**HEADERS, **elsewhere}) as socket:
        assert not socket.closed


async def test_more_than_the_limit_is_turned_away(served: Served) -> None:
    front, client = await served(max_devices=1)
    async with client.ws_connect("/ws", headers=HEADERS):
        status, _ = await status_of(client, **{"Device-Id": "02:00:00:00:00:02"})
    assert status == 503
    assert front.context.max_devices == 1
