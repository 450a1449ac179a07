"""Whose word counts on where a request comes from."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network

import pytest
from aiohttp.test_utils import make_mocked_request

from dispatcher.front.admission.client_address import ClientAddress, client_address_of

TRUSTED = (ip_network("127.0.0.1/32"), ip_network("172.28.0.0/24"))
DEVICE, STRANGER, NGINX = "192.168.1.7", "203.0.113.9", "172.28.0.2"


def origin(remote: str, headers: Mapping[str, str] | None = None, *, proxies: bool = True) -> ClientAddress:
    asked = make_mocked_request("GET", "/xiaozhi/v1/", headers or {}).clone(remote=remote)
    return client_address_of(asked, TRUSTED if proxies else ())


@pytest.mark.parametrize("remote", ["127.0.0.1", "::1"])
def test_who_connects_from_this_host_is_local(remote: str) -> None:
    assert origin(remote).is_local


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP"])
def test_a_device_behind_the_proxy_of_this_host_is_not_local(name: str) -> None:
    assert not origin("127.0.0.1", {name: DEVICE}).is_local


def test_a_client_of_this_host_is_local_through_the_proxy_too() -> None:
    assert origin("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}).is_local


@pytest.mark.parametrize("remote", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("said", [DEVICE, "127.0.0.1", "", "nonsense"])
def test_through_a_proxy_that_nobody_named_nobody_is_local(remote: str, said: str) -> None:
    assert not origin(remote, {"X-Forwarded-For": said}, proxies=False).is_local


@pytest.mark.parametrize("name", ["Forwarded", "Via", "X-Forwarded-Host"])
def test_a_proxy_that_shows_itself_in_another_way_makes_nobody_local(name: str) -> None:
    assert not origin("127.0.0.1", {name: "proxy.example"}, proxies=False).is_local


@pytest.mark.parametrize("said", ["127.0.0.1", "::1", "127.0.0.1, 172.28.0.2"])
def test_a_stranger_does_not_become_local_by_saying_so(said: str) -> None:
    assert not origin(STRANGER, {"X-Forwarded-For": said, "X-Real-IP": "127.0.0.1"}).is_local


def test_what_a_client_wrote_itself_stands_left_of_the_word_of_the_proxy() -> None:
    assert not origin(NGINX, {"X-Forwarded-For": f"127.0.0.1, {STRANGER}, {NGINX}"}).is_local


def test_an_address_that_is_none_is_not_local() -> None:
    assert not origin("127.0.0.1", {"X-Forwarded-For": "localhost"}).is_local


def test_the_trusted_proxy_tells_whether_the_device_spoke_tls() -> None:
    assert origin(NGINX, {"X-Forwarded-For": DEVICE, "X-Forwarded-Proto": "https"}).is_secure
    assert not origin(NGINX, {"X-Forwarded-For": DEVICE, "X-Forwarded-Proto": "http"}).is_secure


def test_nobody_else_does() -> None:
    assert not origin(STRANGER, {"X-Forwarded-Proto": "https"}).is_secure


OWN_PAGES = [
    {"Host": "localhost:8000", "Origin": "http://localhost:8000"},
    {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"},
    {"Host": "[::1]:8000", "Origin": "http://[::1]:8000"},
    {"Host": "LOCALHOST:8000", "Origin": "http://localhost:8000"},
    {"Host": "localhost", "Origin": "http://localhost"},
    {"Host": "localhost", "Origin": "https://localhost:443"},
    {"Host": "voice.example", "Origin": "https://voice.example"},
    {"Host": "localhost:8000", "Origin": "https://voice.example"},
    {"Host": "127.0.0.1"},
    {"Host": "localhost:8000"},
]
FOREIGN_PAGES = [
    {"Host": "localhost:8000", "Origin": "https://evil.example"},
    {"Host": "localhost:8000", "Origin": "http://localhost:3000"},
    {"Host": "localhost:8000", "Origin": "http://localhost"},
    {"Host": "127.0.0.1:8000", "Origin": "http://localhost:8000"},
    {"Host": "localhost:8000", "Origin": "null"},
    {"Host": "localhost:8000", "Origin": ""},
    {"Host": "localhost:8000", "Origin": "file://"},
    {"Host": "localhost:8000", "Origin": "http://localhost:8000.evil.example"},
    {"Host": "localhost:8000", "Origin": "http://localhost:8000@evil.example"},
    {"Host": "localhost.evil.example:8000", "Origin": "http://localhost.evil.example:8000"},
    {"Host": "evil.example:8000", "Origin": "http://evil.example:8000"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "voice.example.evil.example"},
]


def page(headers: Mapping[str, str], *, remote: str = "127.0.0.1") -> ClientAddress:
    asked = make_mocked_request("GET", "/xiaozhi/v1/", headers).clone(remote=remote)
    return client_address_of(asked, (), public_url="https://voice.example")


@pytest.mark.parametrize("headers", OWN_PAGES)
def test_our_own_page_in_a_browser_of_this_host_is_local(headers: Mapping[str, str]) -> None:
    assert page(headers).is_local


@pytest.mark.parametrize("headers", FOREIGN_PAGES)
def test_a_page_of_another_site_in_a_browser_of_this_host_is_not_local(headers: Mapping[str, str]) -> None:
    assert not page(headers).is_local
    assert page(headers).foreign


def test_a_page_that_comes_through_the_proxy_of_this_host_is_judged_too() -> None:
    own = {"X-Forwarded-For": "127.0.0.1", "Host": "localhost", "Origin": "http://localhost"}
    assert origin("127.0.0.1", own).is_local
    assert not origin("127.0.0.1", {**own, "Origin": "https://evil.example"}).is_local
