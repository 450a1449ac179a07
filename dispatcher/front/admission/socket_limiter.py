"""Limits of device sockets: in all, for each address, and without a hello.

A socket is admitted before anything is waited for, so that no number of devices at once gets past the limit.
One on which no hello comes is closed after five seconds, and sooner where it takes the place of another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Final

from aiohttp import web

from dispatcher.front.admission.connection_limiter import RefusalLog, address_key
from dispatcher.settings import Settings

HELLO_TIMEOUT_S: Final = 5.0
# A device says hello at once; a socket without one after this may be closed to make room.
EVICTABLE_AFTER_S: Final = 1.0
HELLO_POLL_INTERVAL_S: Final = 0.5


class AdmittedSocket:
    """One admitted socket.

    Attributes:
        address: None for this host, whose sockets are not counted by address.
        is_greeted: a hello came.
        close: closes it; set once there is a socket.
    """

    def __init__(self, limiter: SocketLimiter, address: str | None) -> None:
        """Belong to the limiter that admitted it."""
        self.address = address
        self.is_greeted = False
        self.close: Callable[[], None] = lambda: None
        self._limiter = limiter

    def mark_greeted(self) -> None:
        """Note that a hello came: from now on the socket is not evicted."""
        self._limiter.mark_greeted(self)

    def release(self) -> None:
        """Count it no more; it may have been evicted before."""
        self._limiter.release(self)


class SocketLimiter:
    """Limiter of the device sockets of one front."""

    def __init__(self, *, per_address: int, silent_per_address: int, refusals: RefusalLog) -> None:
        """Admit none yet.

        Args:
            per_address: sockets of one address at a time.
            silent_per_address: of these, without a hello.
            refusals: where refusals are counted for the log.
        """
        self._per_address = per_address
        self._silent_per_address = silent_per_address
        self._refusals = refusals
        self._by_address: defaultdict[str | None, set[AdmittedSocket]] = defaultdict(set)
        # Without a hello so far, the oldest first.
        self._silent: OrderedDict[AdmittedSocket, float] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """Return how many sockets are admitted."""
        return self._count

    def admit(self, client: str | None, *, limit: int) -> AdmittedSocket:
        """Admit a socket.

        Args:
            client: address of the client; None for this host.
            limit: how many sockets are admitted in all.

        Raises:
            aiohttp.web.HTTPTooManyRequests: the address has enough.
            aiohttp.web.HTTPServiceUnavailable: the front has.
        """
        address = None if client is None else address_key(client)
        if address is not None:
            self._check_address(address)
        if self._count >= limit and not self._try_evict_silent():
            self._refusals.note("devices refused, all seats are taken", address or "this host")
            raise web.HTTPServiceUnavailable(
                text=f"{self._count} devices are connected, at most {limit} are let in",
                headers={"Retry-After": "5"},
            )
        admitted = AdmittedSocket(self, address)
        self._by_address[address].add(admitted)
        self._silent[admitted] = asyncio.get_running_loop().time()
        self._count += 1
        return admitted

    def mark_greeted(self, admitted: AdmittedSocket) -> None:
        """Note that a hello came on a socket."""
        admitted.is_greeted = True
        self._silent.pop(admitted, None)

    def release(self, admitted: AdmittedSocket) -> None:
        """Count a socket no more, once."""
        self._silent.pop(admitted, None)
        sockets = self._by_address[admitted.address]
        if admitted in sockets:
            sockets.remove(admitted)
            self._count -= 1
        if not sockets:
            del self._by_address[admitted.address]

    async def watch(self) -> None:
        """Close sockets on which no hello comes, until cancelled."""
        while True:
            await asyncio.sleep(HELLO_POLL_INTERVAL_S)
            while self._oldest_silent_s() >= HELLO_TIMEOUT_S:
                self._evict(next(iter(self._silent)), "sockets closed, no hello came in time")

    def _check_address(self, address: str) -> None:
        sockets = self._by_address.get(address, set())
        silent = sum(not each.is_greeted for each in sockets)
        if silent >= self._silent_per_address:
            what = f"{silent} sockets of {address} have not said hello"
        elif len(sockets) >= self._per_address:
            what = f"{address} has {len(sockets)} sockets (MAX_CONNECTIONS_PER_ADDRESS)"
        else:
            return
        self._refusals.note("devices refused, their address has too many sockets", address)
        raise web.HTTPTooManyRequests(text=f"{what}; no more are let in", headers={"Retry-After": "5"})

    def _try_evict_silent(self) -> bool:
        if self._oldest_silent_s() < EVICTABLE_AFTER_S:
            return False
        self._evict(next(iter(self._silent)), "sockets without a hello closed, to make room")
        return True

    def _oldest_silent_s(self) -> float:
        began = next(iter(self._silent.values()), None)
        return -1.0 if began is None else asyncio.get_running_loop().time() - began

    def _evict(self, admitted: AdmittedSocket, event: str) -> None:
        self._refusals.note(event, admitted.address or "this host")
        self.release(admitted)
        admitted.close()


def make_socket_limiter(settings: Settings, refusals: RefusalLog) -> SocketLimiter:
    """Return the sockets of devices of a front, none so far."""
    return SocketLimiter(
        per_address=settings.max_connections_per_address,
        silent_per_address=settings.max_silent_per_address,
        refusals=refusals,
    )
