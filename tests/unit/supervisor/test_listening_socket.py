"""The port that is held while one front follows another."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from dispatcher.messages import SOCKET_VARIABLE
from dispatcher.supervisor.handover_channel import HandoverChannel
from dispatcher.supervisor.listening_socket import ListeningSocket
from dispatcher.supervisor.ports import free_ports
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec

FRONT = ProcessSpec(
    name="front",
    role="front",
    argv=("dispatcher", "front"),
    assignments={},
    address=ListenAddress("127.0.0.1", 0),
    what="devices",
)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::1"])
def test_a_front_at_one_address_has_a_listening_socket(host: str) -> None:
    assert ListeningSocket.of(replace(FRONT, address=ListenAddress(host, 8000))) is not None


@pytest.mark.parametrize(
    "part",
    [
        replace(FRONT, in_shell=True),
        replace(FRONT, address=ListenAddress("localhost", 8000)),
        replace(FRONT, address=None),
        replace(FRONT, role="instance"),
    ],
    ids=["in a shell", "a name may be two addresses", "nowhere", "no front"],
)
def test_others_listen_by_themselves(part: ProcessSpec) -> None:
    assert ListeningSocket.of(part) is None


def test_who_waits_at_a_socket_that_is_closed_is_refused() -> None:
    (port,) = free_ports(1)
    listening = ListeningSocket(ListenAddress("127.0.0.1", port))
    taken = listening.bind()
    assert listening.bind() is taken
    with pytest.raises(ConnectionRefusedError):  # nobody has listened yet
        socket.create_connection(("127.0.0.1", port), timeout=5)
    taken.listen()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as waiting:
        listening.close()
        with pytest.raises(ConnectionError):
            waiting.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert listening.bind() is not taken
    listening.close()


def test_a_port_of_another_program_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        ListeningSocket(ListenAddress("127.0.0.1", other.getsockname()[1])).bind()


async def test_a_front_is_handed_the_port_in_both_families() -> None:
    (port,) = free_ports(1)
    listening = ListeningSocket(ListenAddress("127.0.0.1", port))
    own = listening.bind()
    (companion,) = listening.companions
    channel = HandoverChannel(own, companion)

    assert companion.getsockname()[:2] == ("::1", port)
    assert channel.variables[SOCKET_VARIABLE] == f"{own.fileno()},{companion.fileno()}"
    assert set(channel.handed) > {own.fileno(), companion.fileno()}
    channel.close()
    listening.close()
    assert not listening.companions
