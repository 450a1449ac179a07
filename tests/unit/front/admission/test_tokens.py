"""Tokens that OTA gives to devices, and the key behind them."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from dispatcher.front.admission.tokens import TOKEN_TTL_S, Tokens, is_loopback

KEY = b"k" * 64
CLIENT, DEVICE = "7b94d69a-9808-4c59-9c9b-704333b38aff", "02:4a:7d:e3:89:bf"
NOW_S = 1_760_000_000.9
TOKENS = Tokens(KEY)


def issue() -> str:
    return TOKENS.issue(client_id=CLIENT, device_id=DEVICE, now_s=NOW_S)


def is_valid(token: str, *, after_s: float = 1, client_id: str = CLIENT, device_id: str = DEVICE) -> bool:
    return TOKENS.valid(token, client_id=client_id, device_id=device_id, now_s=NOW_S + after_s)


def test_a_token_has_the_form_that_users_know() -> None:
    digest = hmac.new(KEY, f"{CLIENT}|{DEVICE}|1760000000".encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")

    assert issue() == f"{signature}.1760000000"
    assert " " not in issue()


@pytest.mark.parametrize(("after_s", "good"), [(0, True), (TOKEN_TTL_S - 1, True), (TOKEN_TTL_S + 1, False)])
def test_a_token_is_good_for_thirty_days(after_s: float, *, good: bool) -> None:
    assert is_valid(issue(), after_s=after_s) is good


def test_a_token_of_tomorrow_is_refused() -> None:
    assert not is_valid(issue(), after_s=-24 * 3600)


def test_a_token_is_good_for_its_own_device_and_client_alone() -> None:
    assert not is_valid(issue(), device_id="02:4a:7d:e3:89:c0")
    assert not is_valid(issue(), client_id="someone-else")


def test_a_token_of_another_key_is_refused() -> None:
    foreign = Tokens(b"x" * 64).issue(client_id=CLIENT, device_id=DEVICE, now_s=NOW_S)

    assert not is_valid(foreign)


def test_a_longer_life_cannot_be_written_into_a_token() -> None:
    signature = issue().partition(".")[0]

    assert not is_valid(f"{signature}.1760000001")


@pytest.mark.parametrize(
    "token",
    [
        *("", ".", "token", "1760000000", ".1760000000", "a.b", "a.-1", "a.1e9", "a.1760000000.5"),
        *("a.\uff11\uff17", "a.²", "ü.1760000000", f"a.{'9' * 5000}"),
    ],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    assert not is_valid(token)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_an_address_of_this_host_is_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["192.168.1.7", "10.0.0.1", "fe80::1", "", "localhost", None])
def test_other_addresses_are_not(address: str | None) -> None:
    assert not is_loopback(address)
