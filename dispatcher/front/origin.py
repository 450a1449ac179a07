"""Where a request really comes from: the peer's own address, or what a trusted proxy says of it.

A proxy connects for everyone, so behind one on this host every device would look like a local one.
What a request says of its past is believed only from TRUSTED_PROXIES; from others it is not used,
and whoever carries such a header is never taken for local.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from dispatcher.front.auth import is_loopback

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a request comes from.

    Attributes:
        local: from this host, and through no proxy that is not trusted.
        secure: the device spoke TLS, to us or to the trusted proxy.
    """

    local: bool
    secure: bool


def origin_of(request: web.BaseRequest, trusted: Sequence[Network]) -> Origin:
    """Return where a request comes from; `trusted` are the proxies whose word counts."""
    path = _forwarded_for(request)
    if not _is_in(request.remote, trusted):
        return Origin(local=is_loopback(request.remote) and not path, secure=request.secure)
    said = request.headers.getall("X-Forwarded-Proto", [])
    secure = said[-1].rpartition(",")[2].strip().lower() == "https" if said else request.secure
    # Each proxy adds at the right; the first from there that is none of ours is the client.
    strangers = [address for address in path if not _is_in(address, trusted)]
    client = strangers[-1] if strangers else (path[0] if path else request.remote)
    return Origin(local=is_loopback(client), secure=secure)


def _forwarded_for(request: web.BaseRequest) -> list[str]:
    """Return the addresses that the request says it came along, the client's first."""
    lists = request.headers.getall("X-Forwarded-For", []) or request.headers.getall("X-Real-IP", [])
    return [address.strip() for each in lists for address in each.split(",")]


def _is_in(address: str | None, networks: Sequence[Network]) -> bool:
    """Return whether an address lies in one of the networks; what is no address lies in none."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return any(parsed in network for network in networks)
