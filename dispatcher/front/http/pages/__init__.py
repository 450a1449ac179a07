"""The talk page: a stock device in a browser, served with its assets from memory.

`static/` holds plain ES modules, one per concern and without a build step; `index.html` is the page.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Final

from aiohttp import web

from dispatcher.front.admission.tokens import is_loopback
from dispatcher.front.http.device_address import add_device_address
from dispatcher.settings import Settings
from dispatcher.web_assets import add_page, read_assets

# Where the page is told Flower's address; empty means that there is none to link to.
FLOWER_MARK: Final = b'data-flower=""'
STATIC: Final = Path(__file__).parent / "static"


def add_pages(app: web.Application, settings: Settings) -> None:
    """Add `GET /`, `GET /assets/{name}` and the address for devices to the front."""
    add_device_address(app, settings)
    add_page(app, read_assets(STATIC, flower_attribute(settings)))


def flower_attribute(settings: Settings) -> dict[bytes, bytes]:
    """Return the attribute that tells a page where Flower is, by the one that stands in the file."""
    return {FLOWER_MARK: f'data-flower="{html.escape(flower_address(settings))}"'.encode()}


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
