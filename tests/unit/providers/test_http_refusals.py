"""What an instance that refuses says: until when, and in which words."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceBusy, InstanceFailed, InstanceUnreachable
from dispatcher.providers.http import new_session, open_socket, timeout_of
from tests.support.services.openai import FakeOpenAi


async def test_a_busy_instance_may_say_until_what_time(openai: FakeOpenAi) -> None:
    date, until = "Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 2026 07:28:45 GMT"
    openai.answers("", status=503, Retry_After=until, Date=date)

    with pytest.raises(InstanceBusy) as raised:
        await openai.transcribe()
    assert raised.value.retry_after_s == 45.0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"code": 7, "message": "no such model"}, "status": "bad"}', "no such model"),
        ('{"error": "overloaded"}', "overloaded"),
        ('{"detail": "try later"}', "try later"),
        ('{"detail": [{"loc": ["body", "x"], "msg": "extra fields"}]}', "body.x: extra fields"),
        ('{"status": "loading", "in_flight": 0, "memory": 0.1}', "loading"),
        ('{"error": {"message": "' + "x" * 500 + '"}}', "x" * 200),
        ("<html>\n<h1>502</h1>\n\n</html>\n", "<html> <h1>502</h1> </html>"),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
async def test_the_message_of_a_refusal_is_told_without_the_json_around_it(
    openai: FakeOpenAi, body: str, words: str
) -> None:
    openai.answers(body, status=500)

    with pytest.raises(InstanceFailed) as raised:
        await openai.transcribe()
    assert raised.value.reason == f"HTTP 500: {words}"


@pytest.mark.parametrize(
    ("endpoint", "seconds"),
    [
        ("http://192.168.1.20:8000/v1", 1.5),
        ("http://127.0.0.1:8000", 1.5),
        ("http://nas.local:8000", 1.5),
        ("http://tts-local:5000", 1.5),
        ("http://[fd00::7]:8000", 1.5),
        ("https://api.openai.com/v1", 3.0),
        ("https://8.8.8.8", 3.0),
    ],
)
async def test_a_host_of_the_own_network_that_is_off_is_left_sooner(endpoint: str, seconds: float) -> None:
    instance = Instance(service="tts", name="tts-1", endpoint=endpoint)
    async with new_session() as session:
        assert timeout_of(session, instance).sock_connect == seconds


async def test_a_host_that_takes_no_connection_is_unreachable(openai: FakeOpenAi) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as filling:
        for _ in range(2):  # what it holds without taking it; more is dropped without a word
            filling.enter_context(_begun(full.getsockname()))
        openai.port = full.getsockname()[1]
        with pytest.raises(InstanceUnreachable, match="Connection timeout"):
            await openai.transcribe()


@pytest.mark.parametrize(
    ("host", "gives_up_ms"),
    [("192.168.1.20", 1500), ("172.28.0.24", 1500), ("fd00::7", 1500), ("127.0.0.1", 0), ("8.8.8.8", 0)],
)
def test_a_kept_connection_to_a_host_that_was_switched_off_is_given_up(host: str, gives_up_ms: int) -> None:
    if not hasattr(socket, "TCP_USER_TIMEOUT"):
        pytest.skip("this system has no such option")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with open_socket((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, 5000))) as made:
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == gives_up_ms


def _begun(address: tuple[str, int]) -> socket.socket:
    """Return a connection on its way."""
    begun = socket.socket()
    begun.setblocking(False)
    begun.connect_ex(address)
    return begun
