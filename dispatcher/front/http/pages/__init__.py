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

# Where the page is told addresses of other pages; empty means that there is none to link to.
FLOWER_MARK: Final = b'data-flower=""'
CONSOLE_MARK: Final = b'data-console=""'
STATIC: Final = Path(__file__).parent / "static"


def add_pages(app: web.Application, settings: Settings) -> None:
    """Add `GET /`, `GET /assets/{name}` and the address for devices to the front."""
    add_device_address(app, settings)
    add_page(app, read_assets(STATIC, link_attributes(settings)))


def link_attributes(settings: Settings) -> dict[bytes, bytes]:
    """Return the attributes that tell a page where Flower and the console are, by those in the file."""
    told = {FLOWER_MARK: flower_address(settings), CONSOLE_MARK: console_address(settings)}
    return {mark: mark[:-1] + f'{html.escape(address)}"'.encode() for mark, address in told.items()}


def flower_address(settings: Settings) -> str:
    """Return where the page finds Flower: "loopback:5555", "any:5555", "host:5555"; empty without Flower."""
    return _address(settings.flower_host, settings.flower_port) if settings.flower_link else ""


def console_address(settings: Settings) -> str:
    """Return where the page finds the console, likewise."""
    return _address(settings.console_host, settings.console_port) if settings.console_link else ""


def _address(host: str, port: int) -> str:
    """Return host and port; "any" is the name by which the browser reached the page itself."""
    if host in {"0.0.0.0", "::", ""}:  # noqa: S104  compared, not bound
        return f"any:{port}"
    local = host == "localhost" or is_loopback(host)
    return f"{'loopback' if local else host}:{port}"
