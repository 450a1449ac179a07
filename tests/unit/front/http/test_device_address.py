"""The address that people are shown for their devices."""

from __future__ import annotations

import socket
import xml.etree.ElementTree as ET

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request

from dispatcher.front.http.device_address import (
    add_device_address,
    device_address,
    qr_code,
)
from dispatcher.front.http.own_addresses import lan_address, network_address
from dispatcher.settings import Settings

LAN = f"http://{lan_address()}:8000/xiaozhi/ota/"


def shown(host: str, **settings: object) -> str:
    """Return what a page that was opened by this host shows."""
    request = make_mocked_request("GET", "/device-address", {"Host": host})
    return device_address(request, Settings.model_validate(settings))


@pytest.mark.parametrize(
    "host",
    ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "0.0.0.0:8000", socket.gethostname(), "<b>", ""],
)
def test_a_page_opened_by_a_name_of_this_machine_alone_shows_its_address_on_the_network(host: str) -> None:
    assert shown(host, front_on_network=True) == LAN


@pytest.mark.parametrize("host", ["192.168.1.7:8000", "box.home.arpa", "[2001:db8::7]:8000"])
def test_the_name_that_brought_a_browser_here_brings_a_device_here_too(host: str) -> None:
    assert shown(host, front_on_network=True) == f"http://{host}/xiaozhi/ota/"


@pytest.mark.parametrize("host", ["localhost:8000", "192.168.1.7:8000"])
def test_a_public_address_is_shown_to_everyone(host: str) -> None:
    assert shown(host, front_public_url="https://voice.example/") == "https://voice.example/xiaozhi/ota/"


def test_a_container_does_not_pass_its_own_address_off_as_one_of_the_network() -> None:
    assert shown("localhost:8000") == "http://localhost:8000/xiaozhi/ota/"


def test_a_trusted_proxy_with_tls_is_shown_by_https() -> None:
    headers = {"Host": "voice.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "10.0.0.9"}
    request = make_mocked_request("GET", "/device-address", headers)
    request = request.clone(remote="127.0.0.1")

    address = device_address(request, Settings.model_validate({"trusted_proxies": "127.0.0.1"}))

    assert address == "https://voice.example/xiaozhi/ota/"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", LAN),
        ("10.0.0.5", "http://10.0.0.5:8000/xiaozhi/ota/"),
        ("fd00::5", "http://[fd00::5]:8000/xiaozhi/ota/"),
    ],
)
def test_a_front_that_listens_on_one_address_is_reached_there(host: str, address: str) -> None:
    assert network_address(Settings(front_host=host)) == address


async def test_the_page_is_told_the_address_in_words_and_as_a_code() -> None:
    app = web.Application()
    add_device_address(app, Settings(front_public_url="http://box.example:8000"))
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        told = await (await client.get("/device-address")).json()
        drawn = await client.get("/device-address.svg")
        svg = await drawn.read()

    assert told == {"ota": "http://box.example:8000/xiaozhi/ota/", "local": False}
    assert drawn.content_type == "image/svg+xml"
    assert svg == qr_code(told["ota"])
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"


async def test_an_address_that_only_this_machine_understands_is_called_one() -> None:
    app = web.Application()
    add_device_address(app, Settings())
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        told = await (await client.get("/device-address")).json()

    assert told["local"]
