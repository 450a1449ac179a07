"""Requests that go to a second front, and those that must not."""

from __future__ import annotations

import socket

import aiohttp
import pytest

from tests.integration.nginx.conftest import UNUSED, MakeNginx, MakeServer, statuses
from tests.integration.nginx.scripts import NeverAnswers, dies, fails_with
from tests.support.scripted_server import Exchange, ScriptedServer


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_failure_of_one_front_is_answered_by_the_other(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession, status: int
) -> None:
    failing, well = scripted(fails_with(status)), scripted(Exchange.answer)
    nginx = make_nginx((failing.address, 100), (well.address, 1))

    assert await statuses(http, f"{nginx.url}/", 1) == [200]
    assert len(failing.requests) == 1


def is_broken(exchange: Exchange) -> None:
    exchange.body()
    exchange.send(b"HTTP/1.1 200 OK\r\n: no name\r\n\r\n")
    exchange.hang_up()


async def test_an_answer_that_is_no_http_is_left_for_the_other(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx((scripted(is_broken).address, 100), (scripted(Exchange.answer).address, 1))

    assert await statuses(http, f"{nginx.url}/", 1) == [200]


@pytest.mark.parametrize("status", [400, 401, 404, 429, 501])
async def test_a_refusal_is_an_answer(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession, status: int
) -> None:
    refusing, other = scripted(fails_with(status)), scripted(Exchange.answer)
    nginx = make_nginx((refusing.address, 100), (other.address, 1))

    assert await statuses(http, f"{nginx.url}/", 1) == [status]
    assert not other.requests


async def test_a_front_that_dies_in_mid_request_is_left_for_another(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx((scripted(dies).address, 100), (scripted(Exchange.answer).address, 1))

    assert await statuses(http, f"{nginx.url}/", 1) == [200]


async def test_what_a_front_may_have_worked_on_is_not_sent_twice(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    dying, other = scripted(dies), scripted(Exchange.answer)
    nginx = make_nginx((dying.address, 100), (other.address, 1))

    async with http.post(f"{nginx.url}/xiaozhi/ota/", data=b"{}") as response:
        assert response.status == 502
    assert len(dying.requests) == 1
    assert not other.requests


async def test_a_post_that_reached_no_front_goes_to_the_next(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx((UNUSED, 100), (scripted(Exchange.answer).address, 1))

    async with http.post(f"{nginx.url}/xiaozhi/ota/", data=b"{}") as response:
        assert response.status == 200


async def test_two_fronts_are_tried_and_no_third(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    servers: list[ScriptedServer] = [scripted(fails_with(500)) for _ in range(3)]
    nginx = make_nginx(*((server.address, 1) for server in servers))

    assert await statuses(http, f"{nginx.url}/", 1) == [500]
    assert sum(len(server.requests) for server in servers) == 2


async def test_after_its_time_a_failure_is_passed_on_to_no_other_front(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    silent = NeverAnswers()
    slow, other = scripted(silent), scripted(Exchange.answer)
    short = {
        "proxy_next_upstream_timeout 3s": "proxy_next_upstream_timeout 1s",
        "proxy_connect_timeout 1s;\n": "proxy_connect_timeout 1s;\nproxy_read_timeout 2s;\n",
    }
    nginx = make_nginx((slow.address, 100), (other.address, 1), changes=short)

    # With the three seconds of the default the other one would have answered this.
    assert await statuses(http, f"{nginx.url}/", 1) == [504]
    silent.is_over.set()


async def test_within_its_time_a_front_that_is_silent_is_left_for_another(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    silent = NeverAnswers()
    short = {"proxy_connect_timeout 1s;\n": "proxy_connect_timeout 1s;\nproxy_read_timeout 1s;\n"}
    nginx = make_nginx((scripted(silent).address, 100), (scripted(Exchange.answer).address, 1), changes=short)

    assert await statuses(http, f"{nginx.url}/", 1) == [200]
    silent.is_over.set()


async def test_not_ready_is_passed_on_and_takes_no_front_out(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    starting = [scripted(fails_with(503)) for _ in range(2)]
    nginx = make_nginx(*((server.address, 1) for server in starting))

    assert await statuses(http, f"{nginx.url}/readyz", 6) == [503] * 6
    assert [len(server.requests) for server in starting] == [3, 3]


async def test_who_does_not_even_refuse_is_left_within_a_second(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    # A full backlog: the system of that front takes no connection and refuses none.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(deaf.getsockname())
        nginx = make_nginx(
            (f"127.0.0.1:{deaf.getsockname()[1]}", 100), (scripted(Exchange.answer).address, 1)
        )

        # With the sixty seconds of nginx itself this would be over only after the time of a second try.
        assert await statuses(http, f"{nginx.url}/", 1) == [200]
        for each in waiting:
            each.close()
    assert nginx.logged(1)[0]["upstream_status"] == "504, 200"
