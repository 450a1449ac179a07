"""Remote services as backups: TLS that is checked, their own path and name, looked up while nginx runs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.integration.nginx.certificate import as_pem, key_as_pem, make_certificate, sign
from tests.integration.nginx.conftest import UNUSED, MakeNginx
from tests.integration.nginx.name_server import NameServer
from tests.integration.nginx.scripts import TwoParts
from tests.support.nginx import Nginx
from tests.support.scripted_server import ScriptedServer

HOST = "remote.test"
CHAT = "/llm/v1/chat/completions"


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer({HOST: "127.0.0.1"})
    yield server
    server.close()


@contextmanager
def remote(
    folder: Path, host: str = HOST, *, through_another: bool = False
) -> Iterator[tuple[ScriptedServer, Path]]:
    """Serve TLS under a name; yield the server and the file with what to trust."""
    root = sign("root")
    between = sign("between", by=root) if through_another else root
    own = sign(host, by=between)
    ca, chain, private = folder / "ca.crt", folder / "remote.crt", folder / "remote.key"
    ca.write_bytes(as_pem(root.certificate))
    chain.write_bytes(as_pem(own.certificate, between.certificate))
    private.write_bytes(key_as_pem(own))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, private)
    context.sni_callback = _only_for(host)
    server = ScriptedServer(lambda exchange: exchange.answer(200, b"remote"), tls=context)
    try:
        yield server, ca
    finally:
        server.close()


def _only_for(host: str) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]:
    """Refuse who does not say whom he wants, as a server with many names has to."""

    def choose(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> int | None:
        return None if name in {host, HOST} else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    return choose


def nginx_before(
    make_nginx: MakeNginx, server: ScriptedServer, ca: Path, names: NameServer, **keys: Any
) -> Nginx:
    instances = [
        {"endpoint": f"http://{UNUSED}"},
        {
            "name": "far",
            "endpoint": f"https://{HOST}:{server.port}/compatible-mode/v1",
            "priority": "low",
            **keys,
        },
    ]
    return make_nginx(
        services={"llm": instances}, ca_file=str(ca), resolver=f"127.0.0.1:{names.port}", start=False
    )


async def ask(nginx: Nginx, **headers: str) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{nginx.services}{CHAT}?a=1", data=b"{}", headers=headers) as response,
    ):
        return response.status, await response.read()


async def test_a_remote_service_stands_in_under_its_own_name_and_path(
    make_nginx: MakeNginx, names: NameServer, tmp_path: Path
) -> None:
    with remote(tmp_path) as (server, ca):
        nginx = nginx_before(make_nginx, server, ca, names)
        nginx.start()

        assert await ask(nginx, Authorization="Bearer the-callers") == (200, b"remote")
        authority = f"{HOST}:{server.port}"

        (asked,) = server.requests
    assert asked.head.startswith("POST /compatible-mode/v1/chat/completions?a=1 HTTP/1.1")
    assert asked.header("Host") == authority
    assert asked.header("Authorization") == "Bearer the-callers"
    assert names.asked >= 1, "names are looked up while nginx runs"
    assert {line["uri"] for line in nginx.logged(1)} == {"/v1/chat/completions"}, "one line, not one per hop"
    assert len(nginx.logged(1)) == 1


async def test_a_key_in_a_file_of_root_replaces_that_of_the_caller(
    make_nginx: MakeNginx, names: NameServer, tmp_path: Path
) -> None:
    with remote(tmp_path) as (server, ca):
        nginx = nginx_before(make_nginx, server, ca, names)
        keys = nginx.folder / "keys"
        keys.mkdir()
        (keys / "far.conf").write_text('proxy_set_header Authorization "Bearer ours";\n')
        nginx.start()

        await ask(nginx, Authorization="Bearer the-callers")

    assert server.requests[0].header("Authorization") == "Bearer ours"


async def test_who_shows_another_certificate_gets_nothing(
    make_nginx: MakeNginx, names: NameServer, tmp_path: Path
) -> None:
    with remote(tmp_path, host="somebody-else.test") as (server, ca):
        nginx = nginx_before(make_nginx, server, ca, names)
        nginx.start()

        assert (await ask(nginx))[0] == 502
        assert not server.requests


async def test_who_is_signed_by_nobody_we_trust_gets_nothing(
    make_nginx: MakeNginx, names: NameServer, tmp_path: Path
) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(make_certificate(HOST)[0])
    with remote(tmp_path) as (server, _):
        nginx = nginx_before(make_nginx, server, other, names)
        nginx.start()

        assert (await ask(nginx))[0] == 502
        assert not server.requests


async def test_nginx_starts_while_no_name_server_answers(
    make_nginx: MakeNginx, names: NameServer, tmp_path: Path
) -> None:
    names.close()
    with remote(tmp_path) as (server, ca):
        nginx = nginx_before(make_nginx, server, ca, names)
        nginx.start()

    async with aiohttp.ClientSession() as http, http.get(f"{nginx.url}/health") as response:
        assert response.status == 200


async def test_a_stream_of_a_remote_service_is_not_held_up(
    make_nginx: MakeNginx, names: NameServer, tmp_path: Path
) -> None:
    streaming = TwoParts()
    with remote(tmp_path) as (server, ca):
        server.script = streaming
        nginx = nginx_before(make_nginx, server, ca, names)
        nginx.start()
        async with aiohttp.ClientSession() as http:
            await streaming.is_passed_on(http, f"{nginx.services}{CHAT}")


async def test_who_is_signed_by_one_whom_another_vouches_for_is_trusted(
    make_nginx: MakeNginx, names: NameServer, tmp_path: Path
) -> None:
    # As real services are: by default nginx looks at one signature only.
    with remote(tmp_path, through_another=True) as (server, ca):
        nginx = nginx_before(make_nginx, server, ca, names)
        nginx.start()

        assert await ask(nginx) == (200, b"remote")
