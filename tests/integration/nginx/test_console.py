"""The console behind nginx: with TLS, below its path, with its password, its figures kept inside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.integration.nginx.certificate import make_certificate
from tests.integration.nginx.conftest import MakeNginx, MakeServer
from tests.integration.nginx.name_server import NameServer
from tests.integration.nginx.scripts import TwoParts
from tests.support.console import ConsoleProcess
from tests.support.nginx import Nginx
from tests.support.stack import Stack
from tests.support.waiting import WAIT_TIMEOUT_S

PASSWORD = "open sesame"


@pytest.fixture
def console(stack: Stack, tmp_path: Path) -> Iterator[ConsoleProcess]:
    running = ConsoleProcess({**stack.environ, "OPERATOR_PASSWORD": PASSWORD}, tmp_path)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer({})
    yield server
    server.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that does not look at the certificate."""
    connector, jar = aiohttp.TCPConnector(ssl=False), aiohttp.CookieJar(unsafe=True)  # no name, and cookies
    timeout = aiohttp.ClientTimeout(total=WAIT_TIMEOUT_S)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=timeout) as session:
        yield session


def with_tls(make_nginx: MakeNginx, **layout: Any) -> tuple[Nginx, str]:
    """Start an nginx with TLS, and return it with the address of its console."""
    nginx = make_nginx(start=False, **layout)
    nginx.enable_tls(*make_certificate("localhost"))
    nginx.start()
    return nginx, f"https://127.0.0.1:{nginx.https_port}/console"


async def answer(http: aiohttp.ClientSession, url: str | URL) -> tuple[int, str]:
    """Ask and return status and text, without a redirect."""
    async with http.get(url, allow_redirects=False) as response:
        return response.status, await response.text()


async def test_the_console_is_below_its_path_and_asks_for_the_password(
    make_nginx: MakeNginx, console: ConsoleProcess, http: aiohttp.ClientSession
) -> None:
    nginx, below = with_tls(make_nginx, console=f"127.0.0.1:{console.port}")
    async with http.get(below, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (308, "/console/")
    assert "assets/base.css" in (await answer(http, f"{below}/"))[1]
    assert (await answer(http, f"{below}/assets/base.css"))[0] == 200
    for hidden in ("metrics", "healthz", "%6detrics", "/metrics", "assets/../metrics", "metrics%0a"):
        url = URL(f"{below}/{hidden}", encoded=True)
        assert (await answer(http, url))[0] == 404, hidden
    assert (await answer(http, f"{nginx.url}/console/session"))[0] == 502, "without TLS it is the fronts'"

    assert "true" in (await answer(http, f"{console.url}/session"))[1], "this host may look"
    assert (await answer(http, f"{below}/live"))[0] == 403
    async with http.post(f"{below}/session", json={"name": "me", "password": PASSWORD}) as response:
        assert response.status == 200
        assert response.cookies["console"]["path"] == "", "the browser keeps it to this folder"
        token = {"X-CSRF-Token": (await response.json())["csrf"]}
    async with http.get(f"{below}/live") as response:
        assert response.content_type == "text/event-stream"
        assert await response.content.readuntil(b"\n\n"), "a section"
        # It ends with the session, and a connection with TLS is closed whole only after an answer that ended.
        async with http.delete(f"{below}/session", headers=token) as signed_out:
            assert signed_out.status == 200
        await response.content.read()


async def test_events_of_the_console_come_at_once_and_may_be_hours_apart(
    make_nginx: MakeNginx, scripted: MakeServer, http: aiohttp.ClientSession
) -> None:
    streaming = TwoParts()
    nginx, below = with_tls(make_nginx, console=scripted(streaming).address)

    await streaming.is_passed_on(http, f"{below}/live")
    location = nginx.files["console.conf"].partition("location /console/ {")[2].partition("}")[0]
    assert "proxy_read_timeout 1h;" in location


async def test_nginx_serves_while_the_console_has_no_address(
    make_nginx: MakeNginx, http: aiohttp.ClientSession, names: NameServer
) -> None:
    nginx, below = with_tls(make_nginx, console="console:8010", resolver=f"127.0.0.1:{names.port}")

    assert (await answer(http, f"{below}/"))[0] == 502
    assert (await answer(http, f"{nginx.url}/health"))[0] == 200
    assert names.asked
