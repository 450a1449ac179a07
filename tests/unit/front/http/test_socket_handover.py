"""A front's word with its supervisor."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from dispatcher.front.http import socket_handover
from dispatcher.front.http.socket_handover import SocketHandover
from dispatcher.messages import CHANNEL_VARIABLE, MAY_GO, SAYS_LEAVING, SAYS_SERVING, SOCKET_VARIABLE
from dispatcher.settings import Settings


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, SocketHandover]]:
    """The supervisor's end, and a front with the other one."""
    supervisors, fronts = socket.socketpair()
    supervisors.settimeout(5)
    front = SocketHandover(None, fronts)
    yield supervisors, front
    front.close()
    supervisors.close()


async def test_a_front_that_was_started_alone_waits_for_nobody() -> None:
    alone = SocketHandover.inherited({})
    alone.notify_serving()
    await alone.wait_until_replaced()
    alone.close()


async def test_a_front_goes_when_it_hears_that_it_was_followed(
    ends: tuple[socket.socket, SocketHandover],
) -> None:
    supervisor, front = ends
    front.notify_serving()
    going = asyncio.create_task(front.wait_until_replaced())
    said = await asyncio.to_thread(supervisor.recv, 1) + await asyncio.to_thread(supervisor.recv, 1)
    assert said == SAYS_SERVING + SAYS_LEAVING
    assert not going.done()
    supervisor.send(MAY_GO)
    async with asyncio.timeout(5):
        await going


async def test_a_front_goes_when_its_supervisor_is_gone(ends: tuple[socket.socket, SocketHandover]) -> None:
    supervisor, front = ends
    supervisor.close()
    async with asyncio.timeout(5):
        await front.wait_until_replaced()


async def test_a_front_that_nobody_follows_goes_all_the_same(
    ends: tuple[socket.socket, SocketHandover], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_handover, "REPLACEMENT_TIMEOUT_S", 0.01)
    async with asyncio.timeout(5):
        await ends[1].wait_until_replaced()


def test_what_the_supervisor_handed_over_is_found_by_its_numbers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as place:
        ours, theirs = socket.socketpair()
        numbers = {SOCKET_VARIABLE: str(place.detach()), CHANNEL_VARIABLE: str(theirs.detach())}
    found = SocketHandover.inherited(numbers)
    found.notify_serving()
    assert ours.recv(1) == SAYS_SERVING
    found.close()
    ours.close()
    assert found._listening is not None
    found._listening.close()


def test_a_front_listens_at_both_sockets_that_it_was_handed() -> None:
    places = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ours, theirs = socket.socketpair()
    numbers = ",".join(str(place.detach()) for place in places)
    found = SocketHandover.inherited({SOCKET_VARIABLE: numbers, CHANNEL_VARIABLE: str(theirs.detach())})
    sockets = found.sockets(Settings())
    assert ",".join(str(each.fileno()) for each in sockets) == numbers
    found.close()
    for each in (ours, *sockets):
        each.close()
