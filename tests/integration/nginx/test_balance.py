"""Shares of the fronts: weights, passive checks, kept connections."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import aiohttp

from tests.integration.nginx.conftest import MakeNginx, MakeServer, statuses, with_weights
from tests.support.nginx import Nginx, first_upstreams
from tests.support.scripted_server import Exchange, ScriptedServer
from tests.support.stack import Front
from tests.support.waiting import WAIT_TIMEOUT_S, eventually


async def test_requests_are_shared_three_to_two(
    entry: Nginx, fronts: tuple[Front, Front], http: aiohttp.ClientSession
) -> None:
    assert await statuses(http, f"{entry.url}/healthz", 50) == [200] * 50

    # One nginx process or several: they share one count.
    assert Counter(first_upstreams(entry.logged(50))) == {fronts[0].port: 30, fronts[1].port: 20}


async def test_a_busy_front_gets_less(make_nginx: MakeNginx, scripted: MakeServer) -> None:
    held = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_the_test(exchange: Exchange) -> None:
        if "/slow" in exchange.head:
            asyncio.run_coroutine_threadsafe(held.wait(), loop).result()
        exchange.answer()

    servers: list[ScriptedServer] = [scripted(wait_for_the_test) for _ in range(2)]
    nginx = make_nginx(*((server.address, 1) for server in servers))
    async with aiohttp.ClientSession() as http:
        slow = asyncio.create_task(statuses(http, f"{nginx.url}/slow", 1))
        await asyncio.to_thread(eventually, lambda: any(each.requests for each in servers), what="it is held")
        (idle,) = [server.port for server in servers if not server.requests]
        await statuses(http, f"{nginx.url}/quick", 6)
        held.set()
        await slow

    assert set(first_upstreams(nginx.logged(6, uri="/quick"))) == {idle}


async def test_a_dead_front_is_left_for_the_other_and_nobody_notices(
    entry: Nginx, fronts: tuple[Front, Front], http: aiohttp.ClientSession
) -> None:
    dead, alive = fronts
    dead.kill()

    assert await statuses(http, f"{entry.url}/healthz", 20) == [200] * 20

    lines = entry.logged(20)
    tried_both = [line for line in lines if "," in line["upstream"]]
    assert [line["upstream_status"] for line in tried_both] == ["502, 200"] * 2, "two failures are enough"
    assert first_upstreams(lines)[-10:] == [alive.port] * 10


async def test_a_front_that_is_back_gets_its_share_again(
    make_nginx: MakeNginx, fronts: tuple[Front, Front], http: aiohttp.ClientSession
) -> None:
    nginx = make_nginx(*with_weights(fronts), changes={"fail_timeout=30s": "fail_timeout=1s"})
    fronts[0].kill()
    await statuses(http, f"{nginx.url}/healthz", 10)
    fronts[0].start()
    await asyncio.to_thread(fronts[0].wait_until_ready)

    async def is_back() -> bool:
        await statuses(http, f"{nginx.url}/healthz", 5)
        last = nginx.logged(5)[-5:]
        return Counter(first_upstreams(last)) == {fronts[0].port: 3, fronts[1].port: 2}

    for _ in range(100):
        if await is_back():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the front that came back got no share of three to two")


async def test_connections_to_the_fronts_are_kept_for_a_hundred_requests_each(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    front: ScriptedServer = scripted(Exchange.answer)
    nginx = make_nginx((front.address, 1), changes={"worker_processes auto": "worker_processes 1"})

    await statuses(http, f"{nginx.url}/", 250)

    assert front.per_connection == [100, 100, 50]
    assert front.requests[0].header("Connection") is None
    assert "HTTP/1.1" in front.requests[0].head


async def test_no_more_connections_are_kept_than_the_yaml_says(
    make_nginx: MakeNginx, scripted: MakeServer
) -> None:
    four = threading.Barrier(4)

    def answer_four_at_once(exchange: Exchange) -> None:
        four.wait(WAIT_TIMEOUT_S)
        exchange.answer()

    front: ScriptedServer = scripted(answer_four_at_once)
    nginx = make_nginx(
        (front.address, 1), pool={"keepalive": 1}, changes={"worker_processes auto": "worker_processes 1"}
    )
    async with aiohttp.ClientSession() as http:
        for _ in range(5):
            await asyncio.gather(*(statuses(http, f"{nginx.url}/", 1) for _ in range(4)))

    # Of four at once one is kept, so that each of the next four rounds opens at least two anew.
    assert len(front.per_connection) >= 8


async def test_an_idle_connection_is_closed_after_the_time_of_the_yaml(
    make_nginx: MakeNginx, scripted: MakeServer
) -> None:
    front: ScriptedServer = scripted(Exchange.answer)
    nginx = make_nginx((front.address, 1), pool={"keepalive_timeout": 1})
    async with aiohttp.ClientSession() as http:
        await statuses(http, f"{nginx.url}/", 1)
        (kept,) = front._open

        def is_closed() -> bool:
            return kept.fileno() == -1

        await asyncio.to_thread(eventually, is_closed, what="nginx closes the idle connection")
