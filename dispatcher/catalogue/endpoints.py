"""Endpoints as one spelling each, so that the same instance written twice is seen."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
# An OpenAI-style server has its calls below this path; a WebSocket service names its own.
DEFAULT_PATHS = {"http": "/v1", "https": "/v1", "ws": "", "wss": ""}

_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")


def normalise_endpoint(text: str) -> str:
    """Return the URL in the catalogue's one spelling.

    Scheme and host in lower case, no default port, no trailing slash, `/v1` where an HTTP URL has no path.

    Raises:
        ValueError: the URL cannot be used; the text says what was expected and never repeats the
            URL, which may hold a secret.
    """
    # urlsplit drops tabs and line ends without a word, so they are looked for before it.
    if _UNPRINTABLE.search(text):
        raise ValueError("a URL without spaces or line ends")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("a URL with a readable host and a port of 1 to 65535") from error
    _refuse_unusable(parts, port)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    at_port = "" if port in {None, DEFAULT_PORTS[parts.scheme]} else f":{port}"
    path = parts.path.rstrip("/") or DEFAULT_PATHS[parts.scheme]
    return f"{parts.scheme}://{host}{at_port}{path}"


def _refuse_unusable(parts: SplitResult, port: int | None) -> None:
    """Raise a ValueError that says what is expected of the first part that does not fit."""
    if parts.scheme not in DEFAULT_PORTS:
        raise ValueError("a URL that starts with http://, https://, ws:// or wss://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without user or password; name the key's variable in api_key_env instead")
    if parts.hostname is None or not _HOST.fullmatch(parts.hostname):
        raise ValueError("a URL with a host, such as http://localhost:8100")
    if port == 0:
        raise ValueError("a URL with a port of 1 to 65535")
    if parts.query or parts.fragment:
        raise ValueError("a URL that ends with its path, without ? or #")
