"""Attacks on a front from another host, each for a while: `python -m tests.hostile.attacks NAME URL SECONDS`.

Prints one line of JSON at its end: how often it tried, and how often it was let in where it should not be.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import socket
import struct
import sys
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

OTA: Final = "/xiaozhi/ota/"
SOCKET: Final = "/xiaozhi/v1/"
REQUEST_TIMEOUT_S: Final = 30.0
# On a busy machine the attacker, which is the last to get a processor, may not connect within its time.
FIRST_ATTEMPT_TIMEOUT_S: Final = 30.0
FIRST_SENDING_TIMEOUT_S: Final = 60.0
START: Final = {"type": "listen", "state": "start", "mode": "manual"}
STOP: Final = {"type": "listen", "state": "stop"}
HELLO: Final = {
    "type": "hello",
    "version": 1,
    "transport": "websocket",
    "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
}
BOMBS: Final = (
    "[" * 60_000,
    '{"type":' * 20_000,
    json.dumps({"type": "listen", "state": "detect", "text": "a" * 900_000}),
    json.dumps({str(number): number for number in range(60_000)}),
    '{"type":"hello","version":' + "9" * 60_000 + "}",
)
FRAME_BYTES: Final = (1_000_000, 10_000_000, 100_000_000)
UPGRADES_PER_S: Final = 1_000
SLOW_READERS: Final = 10
# What a connection may do wrong in any way.
ERRORS: Final = (aiohttp.ClientError, OSError, TimeoutError, ValueError)


@dataclass(slots=True, kw_only=True)
class Attack:
    """One attacker.

    Attributes:
        url: of the front, without a path.
        tried: how often something was sent.
        let_in: how often a connection was answered like that of a device which it is not.
    """

    url: str
    until_s: float
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    tried: int = 0
    let_in: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether its time is not over."""
        return time.monotonic() < self.until_s

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port of the front."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    def ids(self) -> dict[str, str]:
        """Return headers of a device that nobody knows."""
        mac = ":".join(f"{byte:02x}" for byte in self.rng.randbytes(5))
        return {"Device-Id": f"06:{mac}", "Client-Id": f"attacker-{self.rng.getrandbits(64):x}"}

    async def token(self, session: aiohttp.ClientSession, ids: Mapping[str, str]) -> str:
        """Return the token that OTA gives to whoever asks; empty where it gives none."""
        async with session.post(f"{self.url}{OTA}", headers=ids, json={}) as answer:
            told = await answer.json()
        return str(told.get("websocket", {}).get("token", ""))

    @asynccontextmanager
    async def device(
        self, session: aiohttp.ClientSession, **options: Any
    ) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
        """Connect as a stranger with a token of its own, and say hello."""
        ids = self.ids()
        headers = {**ids, "Authorization": f"Bearer {await self.token(session, ids)}"}
        async with session.ws_connect(f"{self.url}{SOCKET}", headers=headers, **options) as device:
            await device.send_json(HELLO)
            yield device


Attacker = Callable[[Attack, aiohttp.ClientSession], Awaitable[None]]


async def foreign_tokens(attack: Attack, session: aiohttp.ClientSession) -> None:
    """Connect with no token, a made-up one, one of another device and a cut one."""
    own = await attack.token(session, attack.ids())
    tokens = (
        "",
        "Bearer ",
        "Bearer made-up",
        f"Bearer {own}",
        f"Bearer {own[:-2]}",
        f"Basic {own}",
        own * 200,
    )
    for token in tokens:
        attack.tried += 1
        headers = {**attack.ids(), "Authorization": token}
        with suppress(*ERRORS):
            async with session.ws_connect(f"{attack.url}{SOCKET}", headers=headers) as device:
                await device.send_json(HELLO)
                with suppress(TypeError):
                    attack.let_in += (await device.receive_json(timeout=1.0)).get("type") == "hello"


async def huge_frames(attack: Attack, session: aiohttp.ClientSession) -> None:
    """Send frames of up to 100 MB, as sound and as text."""
    for size in FRAME_BYTES:
        async with attack.device(session) as device:
            attack.tried += 2
            await device.send_json(START)
            await device.send_bytes(bytes(size))
            await device.send_str("a" * size)


async def json_bombs(attack: Attack, session: aiohttp.ClientSession) -> None:
    """Send messages that are deep, wide, long or no numbers."""
    async with attack.device(session) as device:
        for bomb in BOMBS:
            attack.tried += 1
            await device.send_str(bomb)


async def deflate_bombs(attack: Attack, session: aiohttp.ClientSession) -> None:
    """Send 100 MB of zeros in 100 kB, as a compressed frame and as a compressed body of OTA."""
    bomb = compressed_zeros()
    attack.tried += 2
    with suppress(*ERRORS):
        headers = {**attack.ids(), "Content-Encoding": "deflate", "Content-Type": "application/json"}
        async with session.post(f"{attack.url}{OTA}", headers=headers, data=bomb) as answer:
            await answer.read()
    async with attack.device(session) as device:
        device._writer.transport.write(compressed_frame(bomb[2:-4]))
        with suppress(TypeError):
            await device.receive_json(timeout=1.0)


@cache
def compressed_zeros() -> bytes:
    """Return the largest frame's worth of zeros, compressed."""
    return zlib.compress(bytes(FRAME_BYTES[-1]), 9)


def compressed_frame(payload: bytes) -> bytes:
    """Return a binary WebSocket frame of raw deflate data (RFC 7692), masked by zeros."""
    return struct.pack("!BBQ", 0xC2, 0x80 | 127, len(payload)) + bytes(4) + payload


async def garbage(attack: Attack, session: aiohttp.ClientSession) -> None:  # noqa: ARG001
    """Send bytes that are no HTTP, and after an upgrade bytes that are no frame."""
    upgrade = f"GET {SOCKET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    upgrade += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    for begin in (
        b"",
        upgrade.encode(),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ):
        attack.tried += 1
        _, writer = await asyncio.open_connection(*attack.address)
        writer.write(begin + attack.rng.randbytes(20_000))
        with suppress(OSError):
            await writer.drain()
        writer.close()


async def upgrades(attack: Attack, session: aiohttp.ClientSession) -> None:  # noqa: ARG001
    """Ask for 1 000 upgrades a second without a token."""
    begun_s = time.monotonic()
    request = (
        f"GET {SOCKET} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".encode()
    )
    for _ in range(UPGRADES_PER_S // 10):
        attack.tried += 1
        connection = socket.socket()
        connection.setblocking(False)
        with suppress(OSError):
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(connection, attack.address), 0.05)
            connection.send(request)
        connection.close()
    await asyncio.sleep(max(0.0, begun_s + 0.1 - time.monotonic()))


async def slow_readers(attack: Attack, session: aiohttp.ClientSession) -> None:
    """Ask for long answers and read none of them, as many devices at once."""

    async def ask() -> None:
        async with attack.device(session) as device:
            transport = device._writer.transport
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            transport.pause_reading()
            for _ in range(5):
                attack.tried += 1
                await device.send_json({"type": "listen", "state": "detect", "text": "tell me a long story"})
                await asyncio.sleep(0.2)

    await asyncio.gather(*(ask() for _ in range(SLOW_READERS)), return_exceptions=True)


async def slow_headers(attack: Attack, session: aiohttp.ClientSession) -> None:  # noqa: ARG001
    """Hold connections open with a header that never ends."""
    writers = []
    for _ in range(50):
        attack.tried += 1
        with suppress(OSError):
            writers.append((await asyncio.open_connection(*attack.address))[1])
            writers[-1].write(f"GET {SOCKET} HTTP/1.1\r\nX-Slow: ".encode())
    for _ in range(10):
        for writer in writers:
            writer.write(b"a")
        await asyncio.sleep(0.1)
    for writer in writers:
        writer.close()


async def opus_noise(attack: Attack, session: aiohttp.ClientSession) -> None:
    """Speak noise: random packets, of no bytes and of many, with and without a stop."""
    async with attack.device(session) as device:
        for _ in range(20):
            await device.send_json(START)
            for size in (0, 1, 2, 60, 400, 1_275, 4_000):
                attack.tried += 1
                await device.send_bytes(attack.rng.randbytes(size))
            await device.send_json(attack.rng.choice((STOP, START, {"type": "abort"})))
            await asyncio.sleep(0.05)


async def ota_flood(attack: Attack, session: aiohttp.ClientSession) -> None:
    """Ask OTA as ever new devices, with bodies of any kind."""

    async def ask() -> None:
        attack.tried += 1
        body = attack.rng.choice((b"{}", b"", b"[" * 5_000, attack.rng.randbytes(50_000), b'{"mac": 7}'))
        with suppress(*ERRORS):
            async with session.post(f"{attack.url}{OTA}", headers=attack.ids(), data=body) as answer:
                await answer.read()

    await asyncio.gather(*(ask() for _ in range(20)))


ATTACKS: Final[Mapping[str, Attacker]] = {
    "foreign-tokens": foreign_tokens,
    "huge-frames": huge_frames,
    "json-bombs": json_bombs,
    "deflate-bombs": deflate_bombs,
    "garbage": garbage,
    "upgrades": upgrades,
    "slow-readers": slow_readers,
    "slow-headers": slow_headers,
    "opus-noise": opus_noise,
    "ota-flood": ota_flood,
}


async def run(name: str, url: str, lasts_s: float) -> Attack:
    """Attack again and again until the time is over, and until something was sent."""
    begun_s = time.monotonic()
    attack = Attack(url=url, until_s=begun_s + lasts_s)
    give_up_s = begun_s + max(lasts_s, FIRST_SENDING_TIMEOUT_S)
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while attack.goes_on or (not attack.tried and time.monotonic() < give_up_s):
            limit_s = lasts_s if attack.tried else max(lasts_s, FIRST_ATTEMPT_TIMEOUT_S)
            with suppress(*ERRORS):
                async with asyncio.timeout(limit_s):
                    await ATTACKS[name](attack, session)
            await asyncio.sleep(0.01)
    return attack


if __name__ == "__main__":
    os.nice(19)  # it is another host's processor that works here
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a front that hangs up is what should happen
    done = asyncio.run(run(sys.argv[1], sys.argv[2], float(sys.argv[3])))
    print(json.dumps({"tried": done.tried, "let_in": done.let_in}))  # noqa: T201
