"""The talk page: a stock device in a browser, served with its assets from memory.

`static/` holds plain ES modules, one per concern and without a build step; `index.html` is the page.
The browser keeps assets for a minute and then asks again with their ETag, so an upgrade shows quickly.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from dispatcher.front.admission.tokens import is_loopback
from dispatcher.front.http.device_address import add_device_address
from dispatcher.settings import Settings

PAGE: Final = "index.html"
# Where the page is told Flower's address; empty means that there is none to link to.
FLOWER_MARK: Final = b'data-flower=""'
STATIC: Final = Path(__file__).parent / "static"
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


def add_pages(app: web.Application, settings: Settings) -> None:
    """Add `GET /`, `GET /assets/{name}` and the address for devices to the front.

    The files are read here, once; requests never touch the disk.
    """
    add_device_address(app, settings)
    assets = read_assets(STATIC, flower=flower_address(settings))

    async def page(request: web.Request) -> web.Response:
        return assets[PAGE].response(request)

    async def asset(request: web.Request) -> web.Response:
        found = assets.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound(headers=SECURITY_HEADERS)
        return found.response(request)

    app.router.add_get("/", page)
    app.router.add_get("/assets/{name}", asset)


def flower_address(settings: Settings) -> str:
    """Return where the page finds Flower: "loopback:5555", "any:5555" or "host:5555"; empty without Flower.

    "any" is the name by which the browser reached the page itself.
    """
    if not settings.flower_link:
        return ""
    host = settings.flower_host
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104  compared, not bound
        return f"any:{settings.flower_port}"
    local = host == "localhost" or is_loopback(host)
    return f"{'loopback' if local else host}:{settings.flower_port}"


def read_assets(folder: Path, *, flower: str = "") -> Mapping[str, Asset]:
    """Return the servable files of a folder by name; other suffixes are left out."""
    mark = f'data-flower="{html.escape(flower)}"'.encode()
    files = [path for path in sorted(folder.iterdir()) if path.suffix in CONTENT_TYPES]
    return {path.name: _as_asset(path, path.read_bytes().replace(FLOWER_MARK, mark)) for path in files}


def _as_asset(path: Path, body: bytes) -> Asset:
    return Asset(
        body=body,
        content_type=CONTENT_TYPES[path.suffix],
        etag=hashlib.sha256(body).hexdigest()[:32],
        cache_control="no-cache" if path.name == PAGE else "max-age=60, must-revalidate",
    )
