"""A device in the hand of a test: it sends whatever it is told, and keeps all that comes, in order."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypeVar

import aiohttp

from dispatcher.device_simulator import DeviceOptions, Version, packets_of
from dispatcher.device_simulator.framing import unwrap, wrap
from dispatcher.messages import UPLINK_RATE_HZ
from dispatcher.recordings import recording
from tests.support.waiting import soon

SPEECH: Final = recording("hello.wav")
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One thing that came: a message, or the packet of a frame."""

    message: Mapping[str, Any] = field(default_factory=dict)
    packet: bytes = b""

    def matches(self, wanted: Mapping[str, Any]) -> bool:
        """Whether it is a message with these fields."""
        return bool(self.message) and all(self.message.get(name) == value for name, value in wanted.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one turn brought, from the words that were understood to the end of speech."""

    transcript: str
    emotion: str
    sentences: tuple[str, ...]
    packets: tuple[bytes, ...]


class Device:
    """One connection of a device."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, device_id: str) -> None:
        """Listen on an open socket; the hello is not said yet."""
        self.device_id = device_id
        self.socket = socket
        self.version: Version = 1
        self.heard: list[Heard] = []
        self._begun_at = 0

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, device_id: str = "", headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Self]:
        """Open a socket and listen on it until the block ends."""
        name = device_id or f"device-{uuid.uuid4().hex[:8]}"
        wanted = {"Device-Id": name, "Client-Id": "a-client", **(headers or {})}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers=wanted, compress=0) as socket,
        ):
            device = cls(socket, name)
            listening = asyncio.create_task(device._listen())
            try:
                yield device
            finally:
                await socket.close()
                await listening

    async def hello(self, *, version: Version = 1, **audio_params: Any) -> Mapping[str, Any]:
        """Say hello and return the server's."""
        params = {"format": "opus", "sample_rate": UPLINK_RATE_HZ, "channels": 1, "frame_duration": 60}
        self.version = version
        await self.send(
            {
                "type": "hello",
                "version": version,
                "transport": "websocket",
                "audio_params": {**params, **audio_params},
            }
        )
        return await self.hears(type="hello")

    async def send(self, what: Mapping[str, Any] | str | bytes) -> None:
        """Send a message, a text that may be none, or a binary frame, as it is."""
        if isinstance(what, bytes):
            await self.socket.send_bytes(what)
        else:
            await self.socket.send_str(what if isinstance(what, str) else json.dumps(what))

    async def listen(self, state: str, **fields: str) -> None:
        """Send a `listen` message."""
        await self.send({"type": "listen", "state": state, **fields})

    async def send_packets(self, packets: Iterable[bytes]) -> None:
        """Send packets as frames, as fast as they go."""
        for packet in packets:
            await self.send(wrap(packet, version=self.version))

    async def says(self, wav: bytes = SPEECH, *, options: DeviceOptions | None = None) -> Answer:
        """Push to talk, say it, release; return the answer."""
        await self.begins_to_say(wav, options=options)
        return await self.answer()

    async def begins_to_say(self, wav: bytes = SPEECH, *, options: DeviceOptions | None = None) -> None:
        """Push to talk, say it, release."""
        self.new_turn()
        await self.listen("start", mode="manual")
        await self.send_packets(packets_of(wav, options or DeviceOptions()))
        await self.listen("stop")

    async def types(self, text: str) -> Answer:
        """Type something; return the answer."""
        await self.begins_to_type(text)
        return await self.answer()

    async def begins_to_type(self, text: str) -> None:
        """Type something."""
        self.new_turn()
        await self.listen("detect", text=text)

    async def abort(self) -> None:
        """Speak over the answer."""
        await self.send({"type": "abort", "reason": "wake_word_detected"})

    def new_turn(self) -> None:
        """Count what comes from now on as the next turn."""
        self._begun_at = len(self.heard)

    @property
    def of_this_turn(self) -> list[Heard]:
        """What came since the turn began."""
        return self.heard[self._begun_at :]

    async def hears(self, **wanted: str) -> Mapping[str, Any]:
        """Return the first message of this turn with these fields, once it is there."""

        async def find() -> Heard | None:
            return next((each for each in self.of_this_turn if each.matches(wanted)), None)

        return (await self._until(find, what=f"{wanted}")).message

    async def hears_audio(self, *, frames: int = 1) -> None:
        """Wait until so many frames of this turn came."""

        async def count() -> bool:
            return sum(bool(each.packet) for each in self.of_this_turn) >= frames

        await self._until(count, what=f"{frames} frames")

    async def answer(self) -> Answer:
        """Wait for the end of the reply and return all of it."""

        async def find() -> list[Heard] | None:
            began = next(
                (at for at, each in enumerate(self.of_this_turn) if each.matches({"type": "stt"})), None
            )
            if began is None:
                return None
            reply = self.of_this_turn[began:]
            ends = [at for at, each in enumerate(reply) if each.matches({"type": "tts", "state": "stop"})]
            return reply[: ends[0] + 1] if ends else None

        return _read(await self._until(find, what="the whole answer"))

    async def is_closed(self) -> int | None:
        """Wait until the front has closed the connection; return the code."""

        async def closed() -> bool:
            return self.socket.closed

        await soon(closed, what="the front closes the connection")
        return self.socket.close_code

    async def _until(self, condition: Callable[[], Awaitable[Found | None]], *, what: str) -> Found:
        try:
            found = await soon(condition, what=what)
        except AssertionError as error:
            came = [each.message or f"<{len(each.packet)} bytes>" for each in self.of_this_turn]
            raise AssertionError(f"{error}; closed: {self.socket.closed}; came: {came}") from None
        assert found is not None
        return found

    async def _listen(self) -> None:
        async for frame in self.socket:
            self._keep(frame)

    def _keep(self, frame: aiohttp.WSMessage) -> None:
        if frame.type is aiohttp.WSMsgType.TEXT:
            self.heard.append(Heard(message=json.loads(frame.data)))
        elif frame.type is aiohttp.WSMsgType.BINARY:
            self.heard.append(Heard(packet=unwrap(frame.data, version=self.version)))


def _read(reply: list[Heard]) -> Answer:
    messages = [each.message for each in reply if each.message]
    kinds = [(message["type"], message.get("state")) for message in messages]
    assert kinds[:2] == [("stt", None), ("tts", "start")], kinds
    first_packet = next((at for at, each in enumerate(reply) if each.packet), len(reply))
    assert all(not each.packet for each in reply[: kinds.index(("tts", "start")) + 1]), first_packet
    return Answer(
        transcript=messages[0]["text"],
        emotion=next((message["emotion"] for message in messages if message["type"] == "llm"), ""),
        sentences=tuple(message["text"] for message in messages if message.get("state") == "sentence_start"),
        packets=tuple(each.packet for each in reply if each.packet),
    )
