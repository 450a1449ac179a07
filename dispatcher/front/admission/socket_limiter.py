"""SocketLimiter: how many sockets of devices a front holds, and which give way.

A seat is taken before anything is waited for, so that no number of devices at once gets past the limit. Who
takes one and does not say hello loses it after five seconds, and sooner where all are taken.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final

from aiohttp import web

from dispatcher.front.admission.connection_limiter import RefusalLog, address_key

HELLO_TIMEOUT_S: Final = 5.0
# A device says hello at once; whoever has not after this may be sent away for another.
GIVES_WAY_AFTER_S: Final = 1.0
WATCH_INTERVAL_S: Final = 0.5


class AdmittedSocket:
    """The place of one socket; `address` is None for this host, whose sockets are not counted by address."""

    def __init__(self, seats: SocketLimiter, address: str | None) -> None:
        """Belong to the seats that gave it."""
        self.address = address
        self.close: Callable[[], None] = lambda: None
        self._seats = seats

    def mark_greeted(self) -> None:
        """Note that hello was said: from now on the seat is the device's."""
        self._seats.mark_greeted(self)

    def release(self) -> None:
        """Give it back; it may have been taken away before."""
        self._seats.release(self)


class SocketLimiter:
    """All seats of one front."""

    def __init__(self, *, per_address: int, silent_per_address: int, refusals: RefusalLog) -> None:
        """Have none taken.

        Args:
            per_address: sockets of one address at a time.
            silent_per_address: of these, without a hello.
            refusals: where refusals are counted for the log.
        """
        self._per_address = per_address
        self._silent_per_address = silent_per_address
        self._refusals = refusals
        self._taken: set[AdmittedSocket] = set()
        self._silent: OrderedDict[AdmittedSocket, float] = OrderedDict()
        self._by_address: Counter[str] = Counter()
        self._silent_by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many are taken."""
        return len(self._taken)

    def take(self, client: str | None, *, most: int) -> AdmittedSocket:
        """Return a seat.

        Args:
            client: address of the client; None for this host.
            most: how many there are.

        Raises:
            aiohttp.web.HTTPTooManyRequests: the address has enough.
            aiohttp.web.HTTPServiceUnavailable: all are taken.
        """
        address = None if client is None else address_key(client)
        if address is not None:
            self._check_address(address)
        if len(self._taken) >= most and not self._evict_silent():
            self._refusals.note("devices refused, all seats are taken", address or "this host")
            raise web.HTTPServiceUnavailable(
                text=f"{len(self._taken)} devices are connected, at most {most} are let in",
                headers={"Retry-After": "5"},
            )
        seat = AdmittedSocket(self, address)
        self._taken.add(seat)
        self._silent[seat] = asyncio.get_running_loop().time()
        if address is not None:
            self._by_address[address] += 1
            self._silent_by_address[address] += 1
        return seat

    def mark_greeted(self, seat: AdmittedSocket) -> None:
        """Note that hello was said on a seat."""
        if self._silent.pop(seat, None) is not None:
            _count_down(self._silent_by_address, seat.address)

    def release(self, seat: AdmittedSocket) -> None:
        """Take a seat back, once."""
        self.mark_greeted(seat)
        if seat in self._taken:
            self._taken.remove(seat)
            _count_down(self._by_address, seat.address)

    async def watch(self) -> None:
        """Close sockets on which no hello comes, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            while self._oldest_silent_s() >= HELLO_TIMEOUT_S:
                self._close(next(iter(self._silent)), "sockets closed, no hello came in time")

    def _check_address(self, address: str) -> None:
        if self._silent_by_address[address] >= self._silent_per_address:
            what = f"{self._silent_by_address[address]} sockets of {address} have not said hello"
        elif self._by_address[address] >= self._per_address:
            what = f"{address} has {self._by_address[address]} sockets (MAX_CONNECTIONS_PER_ADDRESS)"
        else:
            return
        self._refusals.note("devices refused, their address has too many sockets", address)
        raise web.HTTPTooManyRequests(text=f"{what}; no more are let in", headers={"Retry-After": "5"})

    def _evict_silent(self) -> bool:
        if self._oldest_silent_s() < GIVES_WAY_AFTER_S:
            return False
        self._close(next(iter(self._silent)), "sockets without a hello closed, to make room")
        return True

    def _oldest_silent_s(self) -> float:
        began = next(iter(self._silent.values()), None)
        return -1.0 if began is None else asyncio.get_running_loop().time() - began

    def _close(self, seat: AdmittedSocket, event: str) -> None:
        self._refusals.note(event, seat.address or "this host")
        self.release(seat)
        seat.close()


def _count_down(counts: Counter[str], address: str | None) -> None:
    if address is None:
        return
    counts[address] -= 1
    if counts[address] <= 0:
        del counts[address]
