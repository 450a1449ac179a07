"""The port that is held while one front follows another."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from dispatcher.messages import SOCKET_VARIABLE
from dispatcher.supervisor.channel import Channel
from dispatcher.supervisor.ports import free_ports
from dispatcher.supervisor.process_spec import Address, Part
from dispatcher.supervisor.socket_handover import Place

FRONT = Part(
    name="front",
    role="front",
    argv=("dispatcher", "front"),
    assignments={},
    address=Address("127.0.0.1", 0),
    what="devices",
)


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::1"])
def test_a_front_at_one_address_has_a_place(host: str) -> None:
    assert Place.of(replace(FRONT, address=Address(host, 8000))) is not None


@pytest.mark.parametrize(
    "part",
    [
        replace(FRONT, in_shell=True),
        replace(FRONT, address=Address("localhost", 8000)),
        replace(FRONT, address=None),
        replace(FRONT, role="instance"),
    ],
    ids=["in a shell", "a name may be two addresses", "nowhere", "no front"],
)
def test_others_listen_by_themselves(part: Part) -> None:
    assert Place.of(part) is None


def test_who_waits_at_a_place_that_is_given_up_is_refused() -> None:
    (port,) = free_ports(1)
    place = Place(Address("127.0.0.1", port))
    taken = place.take()
    assert place.take() is taken
    with pytest.raises(ConnectionRefusedError):  # nobody has listened yet
        socket.create_connection(("127.0.0.1", port), timeout=5)
    taken.listen()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as waiting:
        place.give_up()
        with pytest.raises(ConnectionError):
            waiting.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert place.take() is not taken
    place.give_up()


def test_a_port_of_another_program_is_an_os_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        Place(Address("127.0.0.1", other.getsockname()[1])).take()


async def test_a_front_is_handed_the_port_in_both_families() -> None:
    (port,) = free_ports(1)
    place = Place(Address("127.0.0.1", port))
    own = place.take()
    (companion,) = place.companions
    channel = Channel(own, companion)

    assert companion.getsockname()[:2] == ("::1", port)
    assert channel.variables[SOCKET_VARIABLE] == f"{own.fileno()},{companion.fileno()}"
    assert set(channel.handed) > {own.fileno(), companion.fileno()}
    channel.close()
    place.give_up()
    assert not place.companions
