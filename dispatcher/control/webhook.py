"""Webhook of the operator: alerts are signed, retried, and never in the way of an evaluation."""

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

from dispatcher.backoff import BackOff
from dispatcher.catalogue.model import AlertRules

log = structlog.get_logger(__name__)

MAX_QUEUED: Final = 100
MAX_ATTEMPTS: Final = 8
FIRST_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 60.0
WEBHOOK_TIMEOUT_S: Final = 10.0
# Everything else below 500 says that the same text would be refused again.
_RETRIED: Final = frozenset({408, 425, 429})

SIGNATURE: Final = "X-Dispatcher-Signature"
SENT_AT: Final = "X-Dispatcher-Timestamp"
DELIVERY: Final = "X-Dispatcher-Delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delivery:
    """One text for one address; the secret is never shown."""

    url: str
    secret: str | None
    delivery: str
    body: bytes


class Webhook:
    """A bounded queue of messages; the oldest is dropped while the address is unreachable."""

    def __init__(self, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        """Hold nothing yet; `deliver` sends what `send_nowait` adds."""
        self._first_pause_s = first_pause_s
        self._queue: asyncio.Queue[_Delivery] = asyncio.Queue(MAX_QUEUED)

    def send_nowait(self, rules: AlertRules, fields: Mapping[str, Any]) -> None:
        """Add a message where the operator wants any; called on the loop, and waits for nothing."""
        if rules.webhook_url is None:
            return
        if self._queue.full():
            dropped = self._queue.get_nowait()
            log.warning("webhook message dropped", delivery=dropped.delivery, waiting=MAX_QUEUED)
        self._queue.put_nowait(
            _Delivery(
                url=rules.webhook_url,
                secret=rules.secret(),
                delivery=uuid.uuid4().hex,
                body=json.dumps(fields, ensure_ascii=False).encode(),
            )
        )

    async def deliver(self) -> None:
        """Send one message after the other, for ever, so that they arrive in order."""
        timeout = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                await self._deliver(session, await self._queue.get())

    async def _deliver(self, session: aiohttp.ClientSession, message: _Delivery) -> None:
        reason = ""
        pauses = BackOff(first_s=self._first_pause_s, longest_s=MAX_PAUSE_S, growth=2, jitter=0)
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                await asyncio.sleep(pauses.next_s())
            reason, is_retryable = await _post(session, message)
            if not reason:
                log.debug("webhook delivered", delivery=message.delivery, attempt=attempt + 1)
                return
            if not is_retryable:
                break
        # The address may hold a token in its path, so it is not shown.
        log.warning("webhook message lost", delivery=message.delivery, reason=reason)


async def _post(session: aiohttp.ClientSession, message: _Delivery) -> tuple[str, bool]:
    """Return what went wrong, empty where nothing did, and whether a retry may help."""
    try:
        async with session.post(
            message.url, data=message.body, headers=_headers(message), allow_redirects=False
        ) as response:
            if 200 <= response.status < 300:
                return "", False
            return f"HTTP {response.status}", response.status >= 500 or response.status in _RETRIED
    except ValueError as error:  # an address that parses and cannot be asked
        return type(error).__name__, False
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return type(error).__name__, True


def _headers(message: _Delivery) -> dict[str, str]:
    sent_at = str(int(time.time()))
    headers = {"Content-Type": "application/json", SENT_AT: sent_at, DELIVERY: message.delivery}
    if message.secret:
        headers[SIGNATURE] = signature(message.secret, sent_at, message.body)
    return headers


def signature(secret: str, sent_at: str, body: bytes) -> str:
    """Return `sha256=` and the HMAC of time, dot and body: an old message cannot pass for a new one."""
    signed = sent_at.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
