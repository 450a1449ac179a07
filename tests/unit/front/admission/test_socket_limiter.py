"""How many sockets of devices a front admits, and which are closed to make room."""

from __future__ import annotations

import pytest
from aiohttp import web

from dispatcher.front.admission import socket_limiter
from dispatcher.front.admission.connection_limiter import RefusalLog
from dispatcher.front.admission.socket_limiter import AdmittedSocket, SocketLimiter

ADDRESS = "192.0.2.1"


def limiter(*, per_address: int = 10, silent: int = 10) -> SocketLimiter:
    return SocketLimiter(per_address=per_address, silent_per_address=silent, refusals=RefusalLog())


def greeted(limiter: SocketLimiter, client: str | None = ADDRESS, *, limit: int = 100) -> AdmittedSocket:
    admitted = limiter.admit(client, limit=limit)
    admitted.mark_greeted()
    return admitted


async def test_no_more_are_admitted_than_the_limit_and_one_that_goes_makes_room() -> None:
    sockets = limiter()
    first = greeted(sockets, limit=1)

    with pytest.raises(web.HTTPServiceUnavailable):
        sockets.admit(None, limit=1)
    first.release()
    first.release()

    sockets.admit(None, limit=1)
    assert len(sockets) == 1


async def test_an_address_has_a_limit_of_its_own_and_this_host_has_none() -> None:
    sockets = limiter(per_address=2)
    for _ in range(2):
        greeted(sockets)
        greeted(sockets, None)
        greeted(sockets, "192.0.2.2")

    with pytest.raises(web.HTTPTooManyRequests, match="Too Many Requests"):
        sockets.admit(ADDRESS, limit=100)
    sockets.admit(None, limit=100)


async def test_sockets_without_a_hello_have_a_lower_limit() -> None:
    sockets = limiter(silent=1)
    first = sockets.admit(ADDRESS, limit=100)

    with pytest.raises(web.HTTPTooManyRequests):
        sockets.admit(ADDRESS, limit=100)
    first.mark_greeted()

    sockets.admit(ADDRESS, limit=100)


async def test_the_oldest_socket_without_a_hello_is_closed_to_make_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket_limiter, "EVICTABLE_AFTER_S", 0)
    sockets, closed = limiter(), []
    first, second = (sockets.admit(ADDRESS, limit=2) for _ in range(2))
    first.close = lambda: closed.append("first")
    second.close = lambda: closed.append("second")

    sockets.admit(ADDRESS, limit=2)

    assert closed == ["first"]
    assert len(sockets) == 2
