"""Alerts told to an address of the operator's: signed, tried again, and never in the way of a look."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import structlog

from dispatcher.catalogue.model import AlertRules

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 100
ATTEMPTS: Final = 8
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
ANSWER_TIMEOUT_S: Final = 10.0
# Everything else below 500 says that the same text would be refused again.
_TRY_AGAIN: Final = frozenset({408, 425, 429})

SIGNATURE: Final = "X-Dispatcher-Signature"
SENT_AT: Final = "X-Dispatcher-Timestamp"
DELIVERY: Final = "X-Dispatcher-Delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One text for one address; the secret is never shown."""

    url: str
    secret: str | None
    delivery: str
    body: bytes


class Webhook:
    """A bounded line of messages; the oldest makes room when the address is away for long."""

    def __init__(self, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        """Hold nothing yet; `deliver` sends what `tell` adds."""
        self._first_pause_s = first_pause_s
        self._waiting: asyncio.Queue[_Message] = asyncio.Queue(MOST_WAITING)

    def tell(self, rules: AlertRules, told: Mapping[str, Any]) -> None:
        """Add a message where the operator wants any; called on the loop, and waits for nothing."""
        if rules.webhook_url is None:
            return
        if self._waiting.full():
            dropped = self._waiting.get_nowait()
            log.warning("webhook message dropped", delivery=dropped.delivery, waiting=MOST_WAITING)
        self._waiting.put_nowait(
            _Message(
                url=rules.webhook_url,
                secret=rules.secret(),
                delivery=uuid.uuid4().hex,
                body=json.dumps(told, ensure_ascii=False).encode(),
            )
        )

    async def deliver(self) -> None:
        """Send one message after the other, for ever, so that they arrive in order."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                await self._deliver(session, await self._waiting.get())

    async def _deliver(self, session: aiohttp.ClientSession, message: _Message) -> None:
        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(min(LONGEST_PAUSE_S, self._first_pause_s * 2 ** (attempt - 1)))
            reason, may_try_again = await _post(session, message)
            if not reason:
                log.debug("webhook told", delivery=message.delivery, attempt=attempt + 1)
                return
            if not may_try_again:
                break
        # The address may hold a token in its path, so it is not shown.
        log.warning("webhook message lost", delivery=message.delivery, reason=reason)


async def _post(session: aiohttp.ClientSession, message: _Message) -> tuple[str, bool]:
    """Return what went wrong, empty where nothing did, and whether another try may help."""
    try:
        async with session.post(
            message.url, data=message.body, headers=_headers(message), allow_redirects=False
        ) as response:
            if 200 <= response.status < 300:
                return "", False
            return f"HTTP {response.status}", response.status >= 500 or response.status in _TRY_AGAIN
    except ValueError as error:  # an address that parses and cannot be asked
        return type(error).__name__, False
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return type(error).__name__, True


def _headers(message: _Message) -> dict[str, str]:
    sent_at = str(int(time.time()))
    headers = {"Content-Type": "application/json", SENT_AT: sent_at, DELIVERY: message.delivery}
    if message.secret:
        headers[SIGNATURE] = signature(message.secret, sent_at, message.body)
    return headers


def signature(secret: str, sent_at: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC of time, dot and body: an old message cannot pass for a new one."""
    signed = sent_at.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
