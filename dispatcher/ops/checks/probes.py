"""What a check asks over HTTP and WebSocket: fronts, nginx, Flower, and one real turn."""

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

TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
TURN_TIMEOUT_S: Final = 30.0
QUESTION: Final = "What time is it?"
# So many requests tell weights of 3 and 2 apart from equal ones.
NGINX_REQUESTS: Final = 50
DEVICE_ID: Final = "02:c4:ec:00:00:01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer; `status` 0 means that none came, and `text` says why."""

    status: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxSeen:
    """What came through nginx: which front answered how often, by the name that it gives."""

    by_server: Mapping[str, int] = field(default_factory=dict)
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowerSeen:
    """What Flower says to somebody without a password; None where nothing listens."""

    status: int | None
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnSeen:
    """One typed turn from a device in software."""

    address: str
    result: TurnResult | None = None
    trouble: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether the device heard an answer that is no apology."""
        found = self.result
        if found is None or found.first_audio_ms is None:
            return False
        return not is_apology(found)


async def ask(session: aiohttp.ClientSession, url: str) -> Answer:
    """Return the answer to a GET, whatever it is."""
    try:
        async with session.get(url, timeout=TIMEOUT) as response:
            return Answer(status=response.status, text=await response.text())
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Answer(status=0, text=in_words(error))
    except TimeoutError:
        return Answer(status=0, text="no answer in 5 s")


async def ask_front(session: aiohttp.ClientSession, url: str) -> Answer:
    """Return what a front says of its readiness."""
    return await ask(session, f"{url.rstrip('/')}/readyz")


async def ask_nginx(session: aiohttp.ClientSession, url: str) -> NginxSeen:
    """Ask through nginx again and again, one request at a time, and count who answers."""
    servers: Counter[str] = Counter()
    for _ in range(NGINX_REQUESTS):
        answer = await ask(session, f"{url.rstrip('/')}/healthz")
        name = _server_of(answer)
        if name is None:
            return NginxSeen(trouble=f"{url}/healthz: {answer.status or 'no answer'}: {answer.text[:100]!r}")
        servers[name] += 1
    return NginxSeen(by_server=dict(servers))


def _server_of(answer: Answer) -> str | None:
    try:
        said: Any = json.loads(answer.text)
        return str(said["server_id"]) if answer.status == 200 else None
    except (ValueError, KeyError, TypeError):
        return None


async def ask_flower(session: aiohttp.ClientSession, url: str) -> FlowerSeen:
    """Ask Flower for its workers without a password."""
    answer = await ask(session, f"{url}/workers")
    return FlowerSeen(status=answer.status or None, address=url)


async def hold_turn(session: aiohttp.ClientSession, url: str) -> TurnSeen:
    """Let a device learn its address by OTA, connect, type a question and hear the answer."""
    options = DeviceOptions(device_id=DEVICE_ID, keep_audio=False)
    try:
        async with asyncio.timeout(2 * TURN_TIMEOUT_S):
            address = await discover(session, f"{url.rstrip('/')}{OTA_PATH}", options)
            async with connect(session, address, options) as device:
                return TurnSeen(
                    address=address.url, result=await device.turn_text(QUESTION, timeout_s=TURN_TIMEOUT_S)
                )
    except DispatcherError as error:
        return TurnSeen(address=url, trouble=str(error))
    except TimeoutError:
        return TurnSeen(address=url, trouble=f"the turn had no end in {2 * TURN_TIMEOUT_S:.0f} s")
