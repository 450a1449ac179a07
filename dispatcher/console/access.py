"""Access to the console: a browser on this host may read, and nobody else."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from dispatcher.front.admission.tokens import is_loopback

# A proxy on this host connects from loopback, whoever is behind it; it says so in one of these.
FORWARDING_HEADERS: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
# Any other name may be one that a stranger's page made point to this host (DNS rebinding).
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local(request: web.Request) -> bool:
    """Return whether a request comes from a browser on this host, by a name that only this host has."""
    if any(name in request.headers for name in FORWARDING_HEADERS):
        return False
    return is_loopback(request.remote) and request.url.host in LOCAL_NAMES


def require_reader(request: web.Request) -> None:
    """Do nothing for a request that may read.

    Raises:
        HTTPForbidden: it may not.
    """
    if not is_local(request):
        reason = "the console is shown on its own host: open it there by http://127.0.0.1, or through ssh -L"
        raise web.HTTPForbidden(text=reason)
