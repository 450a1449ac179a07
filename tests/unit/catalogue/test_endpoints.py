"""One spelling for each endpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.catalogue.endpoints import normalise_endpoint


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://localhost:8100", "http://localhost:8100/v1"),
        ("http://localhost:8100/", "http://localhost:8100/v1"),
        ("http://localhost:8100/v1/", "http://localhost:8100/v1"),
        ("https://dashscope.example/compatible-mode/v1", "https://dashscope.example/compatible-mode/v1"),
        ("HTTP://LocalHost:80/API", "http://localhost/API"),
        ("https://host:443", "https://host/v1"),
        ("http://asr_service:8000", "http://asr_service:8000/v1"),
        ("ws://localhost:10095/", "ws://localhost:10095"),
        ("wss://host/v2/tts", "wss://host/v2/tts"),
        ("http://[::1]:8100", "http://[::1]:8100/v1"),
    ],
)
def test_an_endpoint_has_one_spelling(written: str, meant: str) -> None:
    assert normalise_endpoint(written) == meant


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("localhost:8100", "starts with http"),
        ("ftp://localhost", "starts with http"),
        ("", "starts with http"),
        ("http://", "with a host"),
        ("http://:8100", "with a host"),
        ("http://-", "with a host"),
        ("http://a,b", "with a host"),
        ("http://host:0", "port of 1 to 65535"),
        ("http://host:65536", "port of 1 to 65535"),
        ("http://host:http", "port of 1 to 65535"),
        ("http://[::1", "port of 1 to 65535"),
        ("http://host/v1?key=1", "without ? or #"),
        ("http://host/#part", "without ? or #"),
        ("http://user:secret@host", "without user or password"),
        ("http://token@host", "without user or password"),
        ("http://ho st", "without spaces"),
        ("http://host\n/v1", "without spaces"),
    ],
)
def test_an_unusable_endpoint_is_refused_with_what_was_expected(written: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected.replace("?", r"\?")) as caught:
        normalise_endpoint(written)
    assert "secret" not in str(caught.value)


@given(
    st.sampled_from(["http", "HTTPS", "ws", "wss"]),
    st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,20}[A-Za-z0-9])?", fullmatch=True),
    st.none() | st.integers(1, 65535),
    st.from_regex(r"(/[A-Za-z0-9._-]{0,8}){0,4}", fullmatch=True),
)
def test_normalising_twice_changes_nothing_more(scheme: str, host: str, port: int | None, path: str) -> None:
    once = normalise_endpoint(f"{scheme}://{host}" + (f":{port}" if port else "") + path)
    assert normalise_endpoint(once) == once
