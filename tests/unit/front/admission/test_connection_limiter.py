"""How many connections an address may have."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from dispatcher.front.admission.connection_limiter import (
    HEADERS_TIMEOUT_S,
    ConnectionLimiter,
    ConnectionLimits,
    address_key,
)

LIMITS = ConnectionLimits(total=10, per_address=4, new_per_s=2.0, exempt=(ip_network("172.28.0.2/32"),))


class DeviceWriter:
    """A transport that is open until it is aborted."""

    def __init__(self) -> None:
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


class Clock:
    """A clock in the hand of a test."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def connect(connections: ConnectionLimiter, address: str, count: int = 1) -> list[DeviceWriter]:
    """Connect so often; return the connections that were let in."""
    wires = []
    for _ in range(count):
        if connections.try_admit(address):
            wires.append(DeviceWriter())
            connections.add(wires[-1], address)
    return wires


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7"])
async def test_a_host_has_its_share_and_the_next_one_has_its_own(address: str) -> None:
    connections = ConnectionLimiter(LIMITS, now=Clock())

    assert len(connect(connections, address, 9)) == 4
    assert len(connect(connections, "198.51.100.1", 1)) == 1


async def test_what_was_closed_counts_no_more() -> None:
    clock = Clock()
    connections = ConnectionLimiter(LIMITS, now=clock)
    for writer in connect(connections, "203.0.113.7", 4):
        writer.abort()
    clock.now_s = 10

    assert len(connect(connections, "203.0.113.7", 4)) == 4


async def test_who_comes_and_goes_without_end_is_slowed_down() -> None:
    clock = Clock()
    connections = ConnectionLimiter(LIMITS, now=clock)
    let_in = 0
    for _ in range(100):
        for writer in connect(connections, "203.0.113.7"):
            let_in += 1
            writer.abort()
        clock.now_s += 0.1

    assert 20 <= let_in <= 25


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "172.28.0.2"])
async def test_this_host_and_trusted_proxies_have_no_share(address: str) -> None:
    connections = ConnectionLimiter(LIMITS, now=Clock())

    assert len(connect(connections, address, 10)) == 10


async def test_where_all_descriptors_are_in_use_the_oldest_without_a_request_gives_way() -> None:
    connections = ConnectionLimiter(LIMITS, now=Clock())
    wires = connect(connections, "127.0.0.1", 10)
    connections.mark_requested(wires[0])

    assert len(connect(connections, "203.0.113.7")) == 1
    assert [writer.closed for writer in wires] == [False, True] + [False] * 8


async def test_where_all_have_asked_nobody_gives_way() -> None:
    connections = ConnectionLimiter(LIMITS, now=Clock())
    for writer in connect(connections, "127.0.0.1", 10):
        connections.mark_requested(writer)

    assert not connect(connections, "203.0.113.7")


async def test_a_request_that_does_not_come_is_not_waited_for() -> None:
    clock = Clock()
    connections = ConnectionLimiter(LIMITS, now=clock)
    late, asked = connect(connections, "203.0.113.7", 2)
    connections.mark_requested(asked)
    clock.now_s = HEADERS_TIMEOUT_S
    connections.close_late()

    assert (late.closed, asked.closed) == (True, False)
    assert len(connections) == 1


def test_a_house_with_ipv6_is_one_address() -> None:
    assert address_key("2001:db8:1:2::1") == address_key("2001:db8:1:2:ffff::9")
    assert address_key("2001:db8:1:3::1") != address_key("2001:db8:1:2::1")
