"""Probes over HTTP and WebSocket: one answer, the shares behind nginx, one real turn."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from dispatcher.device_simulator import DeviceOptions, TurnResult, connect, discover
from dispatcher.errors import DispatcherError, in_words
from dispatcher.messages import OTA_PATH
from dispatcher.ops.talk.apology_reason import is_apology

HTTP_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
TURN_TIMEOUT_S: Final = 30.0
QUESTION: Final = "What time is it?"
# So many requests tell weights of 3 and 2 apart from equal ones.
NGINX_REQUESTS: Final = 50
DEVICE_ID: Final = "02:c4:ec:00:00:01"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One HTTP answer; `status` 0 means that none came, and `text` says why."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxAnswers:
    """Answers that came through nginx, counted by the name that each front gives."""

    by_server: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedTurn:
    """One typed turn from a device in software."""

    address: str
    result: TurnResult | None = None
    problem: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether the device heard an answer that is no apology."""
        found = self.result
        if found is None or found.first_audio_ms is None:
            return False
        return not is_apology(found)


async def get(session: aiohttp.ClientSession, url: str) -> HttpAnswer:
    """Return the answer to a GET, whatever it is."""
    return await _ask(session, "GET", url)


async def head(session: aiohttp.ClientSession, url: str) -> HttpAnswer:
    """Return the answer to a HEAD, which changes nothing where it is understood, nor where it is not."""
    return await _ask(session, "HEAD", url)


async def _ask(session: aiohttp.ClientSession, method: str, url: str) -> HttpAnswer:
    try:
        async with session.request(method, url, timeout=HTTP_TIMEOUT) as response:
            return HttpAnswer(status=response.status, text=await response.text())
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return HttpAnswer(status=0, text=in_words(error))
    except TimeoutError:
        return HttpAnswer(status=0, text="no answer in 5 s")


async def count_nginx_answers(session: aiohttp.ClientSession, url: str) -> NginxAnswers:
    """Send requests through nginx, one at a time, and count them by the front that answers."""
    servers: Counter[str] = Counter()
    for _ in range(NGINX_REQUESTS):
        answer = await get(session, f"{url.rstrip('/')}/healthz")
        name = _server_of(answer)
        if name is None:
            return NginxAnswers(
                problem=f"{url}/healthz: {answer.status or 'no answer'}: {answer.text[:100]!r}"
            )
        servers[name] += 1
    return NginxAnswers(by_server=dict(servers))


def _server_of(answer: HttpAnswer) -> str | None:
    try:
        said: Any = json.loads(answer.text)
        return str(said["server_id"]) if answer.status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None


async def type_turn(session: aiohttp.ClientSession, url: str) -> TypedTurn:
    """Let a device learn its address by OTA, connect, type a question and hear the answer."""
    options = DeviceOptions(device_id=DEVICE_ID, keep_audio=False)
    try:
        async with asyncio.timeout(2 * TURN_TIMEOUT_S):
            address = await discover(session, f"{url.rstrip('/')}{OTA_PATH}", options)
            async with connect(session, address, options) as device:
                return TypedTurn(
                    address=address.url, result=await device.turn_text(QUESTION, timeout_s=TURN_TIMEOUT_S)
                )
    except DispatcherError as error:
        return TypedTurn(address=url, problem=str(error))
    except TimeoutError:
        return TypedTurn(address=url, problem=f"the turn had no end in {2 * TURN_TIMEOUT_S:.0f} s")
