"""Access to the console: who signed in may read and act, a browser on this host may read."""

from __future__ import annotations

import hmac
from typing import Final

import structlog
from aiohttp import web

from dispatcher.console.context import CONSOLE
from dispatcher.console.operator_sessions import OperatorSession, TooManyTriesError
from dispatcher.console.request_texts import read_object, require_printable, text_of
from dispatcher.front.admission.client_address import ClientAddress, client_address_of, counted_address

log = structlog.get_logger(__name__)

COOKIE: Final = "console"
CSRF_HEADER: Final = "X-CSRF-Token"
MAX_NAME: Final = 64
NOT_STORED: Final = {"Cache-Control": "no-store"}
# Where the tries of all are counted who come through a proxy that is not trusted, or by a foreign page.
UNKNOWN_ADDRESS: Final = "unknown"


def add_sign_in(app: web.Application) -> None:
    """Add the session's own addresses."""
    app.router.add_get("/session", show_session)
    app.router.add_post("/session", sign_in)
    app.router.add_delete("/session", sign_out)


def require_reader(request: web.Request) -> None:
    """Do nothing for a request that may read.

    Raises:
        HTTPForbidden: it may not.
    """
    if not may_read(request):
        raise web.HTTPForbidden(text="sign in first")


def may_read(request: web.Request) -> bool:
    """Return whether a request may read now: a session ends, also while a page is sent its sections."""
    return _session(request) is not None or _client(request).is_local


def require_operator(request: web.Request) -> OperatorSession:
    """Return the session of a request that may act.

    Raises:
        HTTPForbidden: nobody signed in, or another page sent it.
    """
    session = require_signed_in(request)
    given = request.headers.get(CSRF_HEADER, "").encode(errors="surrogatepass")
    if not hmac.compare_digest(given, session.csrf.encode()):
        raise web.HTTPForbidden(text=f"{CSRF_HEADER}: was missing or wrong")
    return session


def require_signed_in(request: web.Request) -> OperatorSession:
    """Return the session of a request that only reads, but what not everyone on this host may see.

    Raises:
        HTTPForbidden: nobody signed in.
    """
    session = _session(request)
    if session is None:
        raise web.HTTPForbidden(text="sign in first")
    return session


async def show_session(request: web.Request) -> web.Response:
    """Answer who is signed in, and whether this browser may read."""
    return _session_response(request, _session(request))


async def sign_in(request: web.Request) -> web.Response:
    """Take name and password, and answer with the cookie of a session."""
    # A form of another page cannot send this type without asking first.
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="expected application/json")
    given = await read_object(request)
    if not {"name", "password"} <= given.keys():
        raise web.HTTPBadRequest(text="expected name and password")
    name, password = text_of(given, "name"), str(given["password"])
    require_printable("name", name, most=MAX_NAME)
    address = _counted_address(request)
    try:
        session = request.app[CONSOLE].sessions.try_sign_in(
            password, name=name or "operator", address=address
        )
    except TooManyTriesError as error:
        text = "too many wrong passwords; try again in a minute"
        raise web.HTTPTooManyRequests(text=text) from error
    if session is None:
        log.warning("sign-in refused", address=address or "this host")
        raise web.HTTPForbidden(text="wrong password")
    log.info("operator signed in", who=session.name, address=address or "this host")
    response = _session_response(request, session)
    # Without a path the browser keeps it to the folder of this address, whatever prefix that has.
    secure = "; Secure" if _client(request).is_secure else ""
    response.headers["Set-Cookie"] = f"{COOKIE}={session.token}; HttpOnly; SameSite=Strict{secure}"
    return response


async def sign_out(request: web.Request) -> web.Response:
    """End the session."""
    require_operator(request)
    request.app[CONSOLE].sessions.end(request.cookies.get(COOKIE, ""))
    return _session_response(request, None)


def _client(request: web.Request) -> ClientAddress:
    return client_address_of(request, request.app[CONSOLE].settings.trusted_proxies)


def _counted_address(request: web.Request) -> str | None:
    """Return the address by which tries are counted; None for a browser on this host."""
    counted = counted_address(request, request.app[CONSOLE].settings.trusted_proxies)
    return counted or (None if _client(request).is_local else UNKNOWN_ADDRESS)


def _session(request: web.Request) -> OperatorSession | None:
    return request.app[CONSOLE].sessions.find(request.cookies.get(COOKIE, ""))


def _session_response(request: web.Request, session: OperatorSession | None) -> web.Response:
    found = {
        "name": session.name if session else None,
        "csrf": session.csrf if session else None,
        "may_read": session is not None or _client(request).is_local,
    }
    return web.json_response(found, headers=NOT_STORED)
