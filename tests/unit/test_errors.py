"""Errors tell people what happened in plain English, whatever Python called it."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from dispatcher.errors import ConfigError, InstanceUnreachable, StartError, in_words

JARGON = re.compile(r"Errno|Connect call|codec|\[SSL|_ssl\.c|not known$|Expecting|ssl:|Error\b|Traceback")
REFUSED = "Cannot connect to host nas:8000 ssl:default [Connect call failed ('127.0.0.1', 8000)]"
UNTRUSTED = (
    "Cannot connect to host nas:443 ssl:True "
    "[SSLCertVerificationError: (1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "self-signed certificate (_ssl.c:1010)')]"
)


def raised(act: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as found:  # noqa: PT011  whatever Python raises
        act()
    return found.value


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(111, "Connect call failed ('127.0.0.1', 8000)"), "nothing answers at 127.0.0.1:8000"),
        (OSError(113, "Connect call failed ('10.0.0.9', 80)"), "no way leads to 10.0.0.9:80"),
        (aiohttp.ClientError(REFUSED), "cannot connect to nas:8000: nothing answers at 127.0.0.1:8000"),
        (
            aiohttp.ClientError(
                "Cannot connect to host nas:443 ssl:<SSLContext object at 0x7f> [Name or service not known]"
            ),
            "cannot connect to nas:443: no host of that name is known",
        ),
        (socket.gaierror(-2, "Name or service not known"), "no host of that name is known"),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "its name cannot be looked up (DNS)"),
        (aiohttp.ClientError(UNTRUSTED), "its certificate is not trusted: self-signed certificate"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version (_ssl.c:1010)"), "it speaks no TLS"),
        (OSError("Error 111 connecting to nas:1. Connect call failed ('10.0.0.2', 1)."), "10.0.0.2:1"),
        (PermissionError(13, "Permission denied", "a.yaml"), "Permission denied: 'a.yaml'"),
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(), "connection reset"),
        (EOFError(), "it ended too early"),
    ],
)
def test_what_python_says_of_a_network_reaches_people_in_plain_english(error: Exception, words: str) -> None:
    assert words in in_words(error)
    assert not JARGON.search(in_words(error))


@pytest.mark.parametrize(
    "act",
    [
        b"\xff\xfe".decode,
        lambda: "é".encode("ascii"),
        lambda: json.loads("{a}"),
        lambda: json.loads(""),
        lambda: Path("/no/such/file").read_text("utf-8"),
    ],
)
def test_what_python_says_of_a_file_reaches_people_in_plain_english(act: Callable[[], object]) -> None:
    assert not JARGON.search(in_words(raised(act)))


def test_every_error_of_ours_is_rid_of_pythons_words_wherever_it_was_raised() -> None:
    assert str(StartError(f"x: {REFUSED}; start it")) == (
        "x: cannot connect to nas:8000: nothing answers at 127.0.0.1:8000; start it"
    )
    assert ConfigError(["a: [Errno 2] No such file"]).problems == ["a: No such file"]
    assert InstanceUnreachable("llm-1", REFUSED).reason.startswith("cannot connect to nas:8000")


def test_a_text_without_pythons_words_stays_as_it_is() -> None:
    assert str(StartError("port 8000 is taken; stop it")) == "port 8000 is taken; stop it"
