"""Client address of a request: that of the peer, or the one that a trusted proxy names.

A proxy connects for everyone, so behind one on this host every device would look like a local one.
What a request says of its past is believed only from TRUSTED_PROXIES; from others it is not used,
and whoever carries such a header is never taken for local.

A browser connects from this host too, for whatever page it shows. A page of another site tells by its Origin;
one whose name was rebound to this host (DNS rebinding) by its Host. Neither counts as local.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from aiohttp import web

from dispatcher.front.admission.tokens import is_loopback

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# A proxy of this host connects from loopback, whoever is behind it; it says so in one of these.
_FORWARDING_HEADERS: Final = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Host")
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAddress:
    """Where a request comes from.

    Attributes:
        is_local: from this host, through no proxy that is not trusted, and for no foreign page.
        foreign: what is foreign about a request from this host, such as "Origin 'https://evil.example'".
        is_secure: the device spoke TLS, to us or to the trusted proxy.
    """

    is_local: bool
    is_secure: bool
    foreign: str = ""


def client_address_of(
    request: web.BaseRequest, trusted: Sequence[Network], *, public_url: str = ""
) -> ClientAddress:
    """Return where a request comes from.

    Args:
        request: any request to the front.
        trusted: the proxies whose word counts.
        public_url: FRONT_PUBLIC_URL; its host is one of ours.
    """
    client, secure = _client_of(request, trusted)
    if not is_loopback(client):
        return ClientAddress(is_local=False, is_secure=secure)
    foreign = _foreign_page(request, public_url)
    return ClientAddress(is_local=not foreign, is_secure=secure, foreign=foreign)


def _client_of(request: web.BaseRequest, trusted: Sequence[Network]) -> tuple[str | None, bool]:
    """Return the address of the client, as far as it can be believed, and whether it spoke TLS."""
    path = _forwarded_for(request)
    if not _is_in(request.remote, trusted):
        is_forwarded = any(name in request.headers for name in _FORWARDING_HEADERS)
        return None if is_forwarded and is_loopback(request.remote) else request.remote, request.secure
    said = request.headers.getall("X-Forwarded-Proto", [])
    secure = said[-1].rpartition(",")[2].strip().lower() == "https" if said else request.secure
    # Each proxy adds at the right; the first from there that is none of ours is the client.
    strangers = [address for address in path if not _is_in(address, trusted)]
    client = strangers[-1] if strangers else (path[0] if path else request.remote)
    return client, secure


def counted_address(request: web.BaseRequest, trusted: Sequence[Network]) -> str | None:
    """Return the address by which a client is counted; None for this host and for proxies."""
    client, _ = _client_of(request, trusted)
    if client is None or is_loopback(client) or _is_in(client, trusted):
        return None
    return client


def _foreign_page(request: web.BaseRequest, public_url: str) -> str:
    """Return the header by which a request from this host shows a page of somebody else, or nothing.

    A client that is no browser sends no Origin, and may leave the port out of its Host.
    """
    public = _authority(public_url)
    hosts = request.headers.getall("Host", [])
    for host in hosts:
        if not (
            is_own_name(_authority(f"//{host}")[0]) or (public[0] and public[0] == _authority(f"//{host}")[0])
        ):
            return f"Host {host!r:.80}"
    for page in request.headers.getall("Origin", []):
        asked = _authority(f"{page.partition(':')[0]}://{hosts[0]}") if hosts else ("", 0)
        if not _authority(page)[0] or _authority(page) not in (asked, public):
            return f"Origin {page!r:.80}"
    return ""


def _authority(url: str) -> tuple[str, int]:
    """Return host and port of a URL; ("", 0) of what is none, such as the Origin "null"."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0


def is_own_name(host: str) -> bool:
    """Return whether a host can only mean this host: no DNS server of somebody else answers for it."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        own = socket.gethostname().lower()
        return bool(own) and host in {own, f"{own}.local"}
    return address.is_loopback or address.is_unspecified


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
