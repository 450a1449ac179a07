"""Tokens: OTA gives one to each device, and the front asks for it unless the device is on this host.

Form, as users of the device know it: base64url(HMAC-SHA256(key, "client|device|ts")) without
padding, a dot, ts; good for 30 days.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from typing import Final

TOKEN_TTL_S: Final = 30 * 24 * 3600
# Another front may have issued it, by a clock that is a little ahead.
CLOCK_SKEW_S: Final = 60


class Tokens:
    """Makes and checks tokens with one key."""

    def __init__(self, key: bytes) -> None:
        """Use the key; every front of a deployment needs the same."""
        self._key = key

    def issue(self, *, client_id: str, device_id: str, now_s: float) -> str:
        """Return a token for this client on this device."""
        stamp = str(int(now_s))
        return f"{self._sign(client_id, device_id, stamp)}.{stamp}"

    def valid(self, token: str, *, client_id: str, device_id: str, now_s: float) -> bool:
        """Return whether the token is ours, for these ids, and fresh.

        A token that was issued without a client id is good for any client of its device.
        """
        signature, _, stamp = token.rpartition(".")
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
            return False
        if not -CLOCK_SKEW_S <= now_s - int(stamp) <= TOKEN_TTL_S:
            return False
        # OTA was asked without a Client-Id: the token is the device's, and the registry binds the client.
        wanted = (self._sign(each, device_id, stamp).encode() for each in (client_id, ""))
        return any(hmac.compare_digest(signature.encode(), each) for each in wanted)

    def _sign(self, client_id: str, device_id: str, stamp: str) -> str:
        text = f"{client_id}|{device_id}|{stamp}".encode()
        digest = hmac.new(self._key, text, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_loopback(address: str | None) -> bool:
    """Return whether a peer's address is on this host."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
