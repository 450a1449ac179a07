"""A port that is taken is one clear line."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from dispatcher.errors import StartError
from dispatcher.supervisor import ports
from dispatcher.supervisor.ports import free_ports, is_taken, require_free_ports
from dispatcher.supervisor.process_spec import spec_of
from dispatcher.supervisor.procfile import Line


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_a_port_is_taken_while_something_listens(taken_port: int) -> None:
    assert is_taken("127.0.0.1", taken_port)
    assert is_taken("0.0.0.0", taken_port)


def test_a_port_is_free_once_its_listener_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not is_taken("127.0.0.1", port)


def test_the_message_names_port_part_owner_and_remedy(taken_port: int) -> None:
    front = spec_of(Line(name="front", command="dispatcher front"), {"FRONT_PORT": str(taken_port)})
    with pytest.raises(StartError) as caught:
        require_free_ports([front])
    message = str(caught.value)
    assert message.startswith(f"port {taken_port} (front) is taken by pid {os.getpid()} (")
    assert message.endswith("); set FRONT_PORT or stop it")


def test_every_taken_port_gets_a_line(taken_port: int) -> None:
    parts = [
        spec_of(Line(name=name, command=f"dispatcher instance asr --port {taken_port}"), {})
        for name in ("asr-1", "asr-2")
    ]
    with pytest.raises(StartError) as caught:
        require_free_ports(parts)
    assert len(str(caught.value).splitlines()) == 2
    assert "take asr-2 out of the Procfile to use it" in str(caught.value)


def test_parts_without_an_address_need_no_port() -> None:
    require_free_ports([spec_of(Line(name="beat", command="celery -A workers beat"), {})])


def test_free_ports_are_never_given_twice() -> None:
    given = [port for _ in range(20) for port in free_ports(10)]
    assert len(set(given)) == 200


@pytest.fixture
def two_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[range]:
    """Ports for two processes, of which this one has taken none."""
    block = ports._BLOCK_PORTS
    own = range(ports._OWN_PORTS.stop, ports._OWN_PORTS.stop + 2 * block)
    monkeypatch.setattr(ports, "_OWN_PORTS", own)
    monkeypatch.setattr(ports, "_claims", [])
    monkeypatch.setattr(ports, "_left", [])
    yield own
    for claim in ports._claims:
        claim.close()


def test_a_port_that_is_in_use_is_not_given(two_blocks: range) -> None:
    with socket.create_server(("127.0.0.1", two_blocks[3])):
        given = free_ports(len(two_blocks) - 1)
    assert set(two_blocks) - set(given) == {two_blocks[3]}


def test_two_processes_never_get_the_same_ports(two_blocks: range, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = free_ports(ports._BLOCK_PORTS)
    monkeypatch.setattr(ports, "_left", [])

    others = free_ports(ports._BLOCK_PORTS)

    assert set(mine) | set(others) == set(two_blocks)
    with pytest.raises(StartError, match=f"1 free ports are wanted, 0 of {two_blocks.start}-"):
        free_ports(1)
