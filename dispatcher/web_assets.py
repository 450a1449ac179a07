"""Static files of a web page, served from memory, with a policy that lets nothing in from outside."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

PAGE: Final = "index.html"
CONTENT_TYPES: Final = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# `ws: wss:` stands beside 'self' for older Safari, to which a WebSocket to the page's own host is not 'self'.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob:; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file of the page, as it is answered.

    Attributes:
        etag: digest of the body; a browser that names it is answered 304.
        cache_control: how long a browser may use its copy without asking.
    """

    body: bytes
    content_type: str
    etag: str
    cache_control: str

    def response(self, request: web.Request) -> web.Response:
        """Return the file, or 304 when the browser's copy is still right."""
        headers = {**SECURITY_HEADERS, "Cache-Control": self.cache_control, "ETag": f'"{self.etag}"'}
        known = {tag.value for tag in request.if_none_match or ()}
        if known & {self.etag, "*"}:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self.body, content_type=self.content_type, charset="utf-8", headers=headers)


async def add_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add them to a response of any kind, as a signal `on_response_prepare` of an application."""
    response.headers.update(SECURITY_HEADERS)


def read_assets(folder: Path, replaced: Mapping[bytes, bytes] | None = None) -> dict[str, Asset]:
    """Return the servable files of a folder by name, with these texts replaced; other suffixes are left out.

    The files are read once; requests never touch the disk. The browser keeps assets for a minute and then
    asks again with their ETag, so an upgrade shows quickly.
    """
    files = [path for path in sorted(folder.iterdir()) if path.suffix in CONTENT_TYPES]
    return {path.name: _as_asset(path, replaced or {}) for path in files}


def add_page(app: web.Application, assets: Mapping[str, Asset]) -> None:
    """Add `GET /`, which is the page, and `GET /assets/{name}`."""

    async def page(request: web.Request) -> web.Response:
        return assets[PAGE].response(request)

    async def asset(request: web.Request) -> web.Response:
        found = assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(headers=SECURITY_HEADERS)
        return found.response(request)

    app.router.add_get("/", page)
    app.router.add_get("/assets/{name}", asset)


def _as_asset(path: Path, replaced: Mapping[bytes, bytes]) -> Asset:
    body = path.read_bytes()
    for mark, text in replaced.items():
        body = body.replace(mark, text)
    return Asset(
        body=body,
        content_type=CONTENT_TYPES[path.suffix],
        etag=hashlib.sha256(body).hexdigest()[:32],
        cache_control="no-cache" if path.name == PAGE else "max-age=60, must-revalidate",
    )
