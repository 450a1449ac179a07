"""The OTA address that a device on the network can use, as text and as a QR code."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import segno
from aiohttp import web

from dispatcher.front.admission.client_address import client_address_of, is_own_name
from dispatcher.front.http.own_addresses import network_address
from dispatcher.messages import OTA_PATH
from dispatcher.settings import Settings

_HOST: Final = re.compile(r"[\w.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
QR_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def device_address(request: web.Request, settings: Settings) -> str:
    """Return the OTA address for a device, as whoever opened the talk page can tell it.

    The name that brought a browser here from elsewhere brings a device here too. A name that only this
    machine understands is replaced by what `dispatcher up` prints; in a container nobody knows better.
    """
    if settings.front_public_url:
        return network_address(settings)
    host = request.host
    is_usable = _HOST.fullmatch(host) is not None and not is_local_url(f"//{host}")
    if not is_usable and settings.front_on_network:
        return network_address(settings)
    scheme = "https" if client_address_of(request, settings.trusted_proxies).is_secure else "http"
    return f"{scheme}://{host if is_usable else f'localhost:{settings.front_port}'}{OTA_PATH}"


def is_local_url(url: str) -> bool:
    """Return whether a URL can be used on this machine alone."""
    return is_own_name(urlsplit(url).hostname or "localhost")


def add_device_address(app: web.Application, settings: Settings) -> None:
    """Add `GET /device-address` and its QR code, `GET /device-address.svg`, for the talk page."""

    async def told(request: web.Request) -> web.Response:
        address = device_address(request, settings)
        return web.json_response({"ota": address, "local": is_local_url(address)}, headers=QR_HEADERS)

    async def drawn(request: web.Request) -> web.Response:
        svg = qr_code(device_address(request, settings))
        return web.Response(body=svg, content_type="image/svg+xml", headers=QR_HEADERS)

    app.router.add_get("/device-address", told)
    app.router.add_get("/device-address.svg", drawn)


@lru_cache(maxsize=16)
def qr_code(text: str) -> bytes:
    """Return a QR code as SVG: black on white in every theme, since cameras want it so."""
    svg = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        svg, kind="svg", scale=6, border=3, light="#fff", dark="#000"
    )
    return svg.getvalue()
