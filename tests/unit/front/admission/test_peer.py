"""Ids and tokens of the devices that connect."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from dispatcher.front.admission.client_address import client_address_of
from dispatcher.front.admission.peer import Peer, check_token, read_peer
from dispatcher.front.admission.tokens import Tokens

CLIENT, DEVICE = "7b94d69a-9808-4c59-9c9b-704333b38aff", "02:4a:7d:e3:89:bf"
IDS = {"Device-Id": DEVICE, "Client-Id": CLIENT}
TOKENS = Tokens(b"k" * 64)


def request(
    headers: Mapping[str, str] | None = None, *, query: str = "", remote: str = "192.168.1.7"
) -> web.BaseRequest:
    """Return the upgrade request of a device at an address."""
    return make_mocked_request("GET", f"/xiaozhi/v1/{query}", headers or IDS).clone(remote=remote)


def peer_of(asked: web.BaseRequest) -> Peer:
    return read_peer(asked)  # type: ignore[arg-type]  # a clone has all that is read of a request


def let_in(asked: web.BaseRequest, tokens: Tokens | None = TOKENS) -> None:
    check_token(asked, peer_of(asked), tokens, client_address_of(asked, ()))  # type: ignore[arg-type]  # as above


def token(*, device_id: str = DEVICE, age_s: float = 0) -> str:
    return TOKENS.issue(client_id=CLIENT, device_id=device_id, now_s=time.time() - age_s)


def test_a_stock_device_names_itself_in_headers() -> None:
    headers = {"Device-Id": DEVICE.upper(), "Client-Id": CLIENT}

    assert peer_of(request(headers)) == Peer(device_id=DEVICE, client_id=CLIENT)


def test_a_web_client_names_itself_in_the_query() -> None:
    asked = request({"Host": "home"}, query=f"?device-id={DEVICE}&client-id=web-1")

    assert peer_of(asked) == Peer(device_id=DEVICE, client_id="web-1")


def test_a_client_without_a_name_gets_one_that_nobody_else_has() -> None:
    first, second = (peer_of(request({"Host": "home"})).device_id for _ in range(2))

    assert first.startswith("anonymous-")
    assert first != second


@pytest.mark.parametrize("wrong", ["a b", "x" * 65, "a|b", "../..", "名字", "a\x01"])
@pytest.mark.parametrize("name", ["Device-Id", "Client-Id"])
def test_an_id_of_a_form_that_no_device_uses_is_refused(name: str, wrong: str) -> None:
    with pytest.raises(web.HTTPBadRequest) as refused:
        peer_of(request({**IDS, name: wrong}))

    assert name in (refused.value.text or "")


def test_a_device_with_its_token_is_let_in() -> None:
    for said in (f"Bearer {token()}", token()):
        let_in(request({**IDS, "Authorization": said}))


def test_a_web_client_brings_its_token_in_the_query() -> None:
    let_in(request(query=f"?authorization=Bearer%20{token()}"))


@pytest.mark.parametrize(
    "said",
    ["", "Bearer", "Bearer wrong", token(device_id="another"), token(age_s=31 * 24 * 3600)],
    ids=["none", "empty", "no token", "of another device", "too old"],
)
def test_a_stranger_is_told_how_to_get_a_token(said: str) -> None:
    with pytest.raises(web.HTTPUnauthorized) as refused:
        let_in(request({**IDS, "Authorization": said}))

    assert "/xiaozhi/ota/" in (refused.value.text or "")


def test_this_host_needs_no_token() -> None:
    let_in(request(remote="127.0.0.1"))


@pytest.mark.parametrize("proxy", ["X-Forwarded-For", "X-Real-IP"])
def test_who_comes_through_a_proxy_on_this_host_is_not_this_host(proxy: str) -> None:
    with pytest.raises(web.HTTPUnauthorized):
        let_in(request({**IDS, proxy: "192.168.1.7"}, remote="127.0.0.1"))


def test_where_tokens_are_switched_off_everyone_is_let_in() -> None:
    let_in(request(), tokens=None)


@pytest.mark.parametrize(
    "written",
    ["02-4A-7D-E3-89-BF", "024a7de389bf", "024A7DE389BF", "02:4A:7D:E3:89:BF", "024a.7de3.89bf"],
)
def test_a_mac_written_in_another_way_is_the_same_device(written: str) -> None:
    assert peer_of(request({**IDS, "Device-Id": written})).device_id == DEVICE
    assert peer_of(request({"Host": "home"}, query=f"?device-id={written}")).device_id == DEVICE
    assert peer_of(request({"Host": "home"}, query=f"?Device_Id={written}")).device_id == DEVICE


@pytest.mark.parametrize("word", ["bearer ", "BEARER ", "Bearer   ", "bearer\t"])
def test_a_client_that_writes_bearer_in_its_own_way_is_let_in(word: str) -> None:
    let_in(request({**IDS, "Authorization": word + token()}))
    let_in(request(query=f"?authorization={word.strip()}%20{token()}"))


def test_a_client_without_any_id_is_let_in_with_the_token_that_it_got() -> None:
    given = TOKENS.issue(client_id="", device_id="", now_s=time.time())

    let_in(request({"Host": "home", "Authorization": f"Bearer {given}"}))
    with pytest.raises(web.HTTPUnauthorized):
        let_in(request({**IDS, "Authorization": f"Bearer {given}"}))


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example", "Host": "localhost:8000"}, {"Host": "evil.example:8000"}]
)
def test_a_web_page_in_a_browser_of_this_host_needs_a_token(headers: Mapping[str, str]) -> None:
    with pytest.raises(web.HTTPUnauthorized) as refused:
        let_in(request({**IDS, **headers}, remote="127.0.0.1"))

    assert "evil.example" in (refused.value.text or "")
    let_in(request({**IDS, **headers, "Authorization": f"Bearer {token()}"}, remote="127.0.0.1"))
