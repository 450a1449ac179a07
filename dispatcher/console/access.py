"""Access to the console: who signed in may read and act, a browser on this host may read."""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import web

from dispatcher.console.context import CONSOLE
from dispatcher.console.operator_sessions import OperatorSession, TooManyTriesError
from dispatcher.front.admission.tokens import is_loopback
from dispatcher.web_assets import SECURITY_HEADERS

COOKIE: Final = "console"
CSRF_HEADER: Final = "X-CSRF-Token"
MAX_NAME: Final = 64
# A proxy on this host connects from loopback, whoever is behind it; it says so in one of these.
FORWARDING_HEADERS: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
# Any other name may be one that a stranger's page made point to this host (DNS rebinding).
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def add_sign_in(app: web.Application) -> None:
    """Add the session's own addresses."""
    app.router.add_get("/session", show_session)
    app.router.add_post("/session", sign_in)
    app.router.add_delete("/session", sign_out)


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
    if _session(request) is None and not is_local(request):
        raise web.HTTPForbidden(text="sign in first", headers=SECURITY_HEADERS)


def require_operator(request: web.Request) -> OperatorSession:
    """Return the session of a request that may act.

    Raises:
        HTTPForbidden: nobody signed in, or another page sent it.
    """
    session = _session(request)
    if session is None:
        raise web.HTTPForbidden(text="sign in first", headers=SECURITY_HEADERS)
    if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), session.csrf.encode()):
        raise web.HTTPForbidden(text=f"{CSRF_HEADER}: was missing or wrong", headers=SECURITY_HEADERS)
    return session


async def show_session(request: web.Request) -> web.Response:
    """Answer who is signed in, and whether this browser may read."""
    return _told(request, _session(request))


async def sign_in(request: web.Request) -> web.Response:
    """Take name and password, and answer with the cookie of a session."""
    # A form of another page cannot send this type without asking first.
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="expected application/json", headers=SECURITY_HEADERS)
    try:
        given = await request.json()
        name, password = str(given["name"]).strip()[:MAX_NAME], str(given["password"])
    except (ValueError, KeyError, TypeError) as error:
        raise web.HTTPBadRequest(text="expected name and password", headers=SECURITY_HEADERS) from error
    sessions, address = request.app[CONSOLE].sessions, request.remote or ""
    try:
        session = sessions.try_sign_in(password, name=name or "operator", address=address)
    except TooManyTriesError as error:
        text = "too many wrong passwords; try again in a minute"
        raise web.HTTPTooManyRequests(text=text, headers=SECURITY_HEADERS) from error
    if session is None:
        raise web.HTTPForbidden(text="wrong password", headers=SECURITY_HEADERS)
    response = _told(request, session)
    # Without a path the browser keeps it to the folder of this address, whatever prefix that has.
    response.headers["Set-Cookie"] = f"{COOKIE}={session.token}; HttpOnly; SameSite=Strict"
    return response


async def sign_out(request: web.Request) -> web.Response:
    """End the session."""
    require_operator(request)
    request.app[CONSOLE].sessions.end(request.cookies.get(COOKIE, ""))
    return _told(request, None)


def _session(request: web.Request) -> OperatorSession | None:
    return request.app[CONSOLE].sessions.find(request.cookies.get(COOKIE, ""))


def _told(request: web.Request, session: OperatorSession | None) -> web.Response:
    found = {
        "name": session.name if session else None,
        "csrf": session.csrf if session else None,
        "may_read": session is not None or is_local(request),
    }
    return web.json_response(found, headers={**SECURITY_HEADERS, "Cache-Control": "no-store"})
