"""Who may come in: HTTP basic authentication for every address of Flower but one."""

from __future__ import annotations

import base64
import binascii
import hmac

USER = "operator"
# Says "OK" and nothing else; whoever keeps Flower running asks it.
OPEN_PATH = "/healthcheck"
# Asked by the page itself, or by a machine that scrapes: no sign that somebody watches tasks.
NOT_WATCHING = ("/static/", "/metrics", "/login", "/logout", "/favicon")


class LeaseRequest:
    """Compares what a browser sends with the one user and password."""

    def __init__(self, password: str) -> None:
        """Remember what opens the door."""
        self._key = f"{USER}:{password}".encode()

    @property
    def credentials(self) -> str:
        """User and password as Flower's own option takes them."""
        return self._key.decode()

    def opens_to(self, authorization: str | None) -> bool:
        """Return whether the value of the header `Authorization` is right."""
        scheme, _, encoded = (authorization or "").strip().partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, self._key)


def is_watching(path: str) -> bool:
    """Return whether a request for this path means that somebody looks at tasks or workers."""
    return path != OPEN_PATH and not path.startswith(NOT_WATCHING)
