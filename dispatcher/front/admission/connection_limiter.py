"""Limits of connections to the front's port: per address, in all, and without a request.

A connection costs a descriptor from its first packet on, before anything is known of who opens it. Who is
limited is the address that connects; this host and trusted proxies, which connect for many, are not.
"""

from __future__ import annotations

import asyncio
import ipaddress
import resource
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from dispatcher.front.admission.client_address import Network
from dispatcher.host_metrics.cgroup import read_cgroup
from dispatcher.settings import Settings

log = structlog.get_logger(__name__)

HEADERS_TIMEOUT_S: Final = 5.0
# What the front itself needs beside devices: Redis, its log, files that it reads.
RESERVED_DESCRIPTORS: Final = 128
# A silent device takes 44 KB (`dispatcher bench growth`), one that speaks for a minute 240 KB more.
DEVICE_BYTES: Final = 300 * 1024
# The rest of the memory is for workers, the broker, the records and model servers beside the front.
DEVICES_MEMORY_RATIO: Final = 0.25
# One in ten speaking, as many as one loop carries (docs/scaling.md).
MOST_DEVICES: Final = 9_500
FEWEST_DEVICES: Final = 50
MOST_DESCRIPTORS: Final = 1_048_576
# The first line of an attack waits so long, to tell how much it is; later ones come once a minute.
FIRST_REPORT_S: Final = 2.0
REPORT_INTERVAL_S: Final = 60.0
MOST_REPORTED: Final = 50
MOST_ADDRESSES: Final = 4096
# A provider gives a whole /64 to one house.
IPV6_PREFIX_BITS: Final = 64


class ConnectionTransport(Protocol):
    """A transport as far as it is counted here."""

    def is_closing(self) -> bool:
        """Return whether it is closed, or about to be."""
        ...

    def abort(self) -> None:
        """Close at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What one address may have.

    Attributes:
        total: connections of all addresses together.
        per_address: connections at a time.
        new_per_s: new connections a second, after a first `per_address` at once.
        exempt: addresses that connect for others.
    """

    total: int
    per_address: int
    new_per_s: float
    exempt: Sequence[Network] = ()


class RefusalLog:
    """One line a minute for each kind of refusal and address, with a count, however many there are.

    Attributes:
        totals: refusals of each kind so far.
    """

    def __init__(self) -> None:
        """Log nothing yet."""
        self.totals: Counter[str] = Counter()
        self._counts: dict[tuple[str, str], int] = {}

    def note(self, event: str, address: str) -> None:
        """Count a refusal."""
        self.totals[event] += 1
        key = (event, address)
        if key not in self._counts and len(self._counts) >= MOST_REPORTED:
            key = (event, "others")
        if key not in self._counts:
            self._counts[key] = 0
            asyncio.get_running_loop().call_later(FIRST_REPORT_S, self._report, key)
        self._counts[key] += 1

    def _report(self, key: tuple[str, str]) -> None:
        """Log what was counted, and again in a minute if there is more."""
        event, address = key
        count, self._counts[key] = self._counts[key], 0
        if not count:
            del self._counts[key]
            return
        log.warning(event, address=address, count=count)
        asyncio.get_running_loop().call_later(REPORT_INTERVAL_S, self._report, key)


class ConnectionLimiter:
    """The open connections of one front, by address.

    Attributes:
        refusals: where refusals are counted for the log.
    """

    def __init__(self, limits: ConnectionLimits, *, now: Callable[[], float]) -> None:
        """Count nothing yet; `now` is a clock in seconds that never goes back."""
        self.refusals = RefusalLog()
        self._limits = limits
        self._now = now
        self._open: dict[str, set[ConnectionTransport]] = {}
        # Without a request so far, the oldest first.
        self._silent: OrderedDict[ConnectionTransport, float] = OrderedDict()
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        """Return how many are open, as of the last time that it mattered."""
        return self._count

    def try_admit(self, address: str) -> bool:
        """Return whether an address may open one more; a refusal is counted for the log."""
        if self._count >= self._limits.total:
            self._drop_closed()
            if self._count >= self._limits.total and not self.try_evict_silent():
                self.refusals.note("connections refused, all descriptors are in use", address)
                return False
        key = address_key(address)
        if self.is_exempt(address):
            return True
        if len(self._open.get(key, ())) >= self._limits.per_address:
            self._drop_closed()
        if len(self._open.get(key, ())) >= self._limits.per_address:
            self.refusals.note("connections refused, the address has too many", key)
            return False
        if not self._try_spend(key):
            self.refusals.note("connections refused, the address opens too many a second", key)
            return False
        return True

    def is_exempt(self, address: str) -> bool:
        """Return whether an address is this host, or a trusted proxy."""
        try:
            parsed = _plain_address(address)
        except ValueError:
            return False
        return parsed.is_loopback or any(parsed in network for network in self._limits.exempt)

    def add(self, transport: ConnectionTransport, address: str) -> None:
        """Count a connection that was let in."""
        self._open.setdefault(address_key(address), set()).add(transport)
        self._silent[transport] = self._now()
        self._count += 1

    def mark_requested(self, transport: object) -> None:
        """Note that the headers of a request came."""
        self._silent.pop(transport, None)  # type: ignore[call-overload]  # any transport may be asked for

    def try_evict_silent(self) -> bool:
        """Close the connection that has said nothing for longest; return whether there was one."""
        while self._silent:
            transport, _ = self._silent.popitem(last=False)
            if not transport.is_closing():
                transport.abort()
                self.refusals.note("connections without a request closed, to make room", "any")
                self._drop_closed()
                return True
        return False

    def close_late(self) -> None:
        """Close connections whose request does not come; called every second."""
        late_s = self._now() - HEADERS_TIMEOUT_S
        while self._silent and next(iter(self._silent.values())) <= late_s:
            transport, _ = self._silent.popitem(last=False)
            if not transport.is_closing():
                transport.abort()
        self._drop_closed()

    def _drop_closed(self) -> None:
        for key, transports in list(self._open.items()):
            closed = {each for each in transports if each.is_closing()}
            transports.difference_update(closed)
            self._count -= len(closed)
            for each in closed:
                self._silent.pop(each, None)
            if not transports:
                del self._open[key]

    def _try_spend(self, key: str) -> bool:
        """Spend one of the new connections that an address may open now; return whether one was left."""
        now, most = self._now(), float(self._limits.per_address)
        left, at = self._budgets.pop(key, (most, now))
        left = min(most, left + (now - at) * self._limits.new_per_s)
        is_within = left >= 1
        self._budgets[key] = (left - 1 if is_within else left, now)
        if len(self._budgets) > MOST_ADDRESSES:
            self._budgets.popitem(last=False)
        return is_within


def address_key(address: str) -> str:
    """Return what an address is counted by: itself, of IPv6 the /64 that one house has."""
    try:
        parsed = _plain_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX_BITS), strict=False))


def descriptor_limit() -> int:
    """Return how many descriptors this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_DESCRIPTORS if soft == resource.RLIM_INFINITY else min(soft, MOST_DESCRIPTORS)


def device_limit(settings: Settings, *, memory_bytes: int | None = None) -> int:
    """Return how many devices a front lets in: MAX_DEVICES, else what memory and descriptors carry.

    Args:
        settings: of the front.
        memory_bytes: that it may use; that of its container or host when left out.
    """
    if settings.max_devices is not None:
        return settings.max_devices
    memory_bytes = read_cgroup().memory_bytes if memory_bytes is None else memory_bytes
    by_memory = int(memory_bytes * DEVICES_MEMORY_RATIO / DEVICE_BYTES)
    return max(FEWEST_DEVICES, min(by_memory, descriptor_limit() - RESERVED_DESCRIPTORS, MOST_DEVICES))


def raise_descriptor_limit(max_devices: int) -> None:
    """Let this process have as many descriptors as its user may; warn where they are too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    limit = descriptor_limit()
    if limit < max_devices + RESERVED_DESCRIPTORS:
        log.warning(
            "too few file descriptors for MAX_DEVICES; raise the limit (ulimit -n, LimitNOFILE=) or lower it",
            descriptors=limit,
            max_devices=max_devices,
            needed=max_devices + RESERVED_DESCRIPTORS,
        )


def make_connection_limiter(settings: Settings) -> ConnectionLimiter:
    """Return the connections of a front, none so far, as many as this process has descriptors for."""
    limits = ConnectionLimits(
        total=max(descriptor_limit() - RESERVED_DESCRIPTORS, RESERVED_DESCRIPTORS),
        per_address=settings.max_connections_per_address,
        new_per_s=settings.new_connections_per_s,
        exempt=settings.trusted_proxies,
    )
    return ConnectionLimiter(limits, now=time.monotonic)


def _plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
