"""A device's socket in memory, a front's context without a server, and a clock that only the test moves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from aiohttp import WSMessage, WSMsgType, web

from dispatcher.catalogue.conversation import Conversation, FillerRules
from dispatcher.catalogue.model import Catalogue, ServiceConfig
from dispatcher.front.admission.peer import Peer
from dispatcher.front.connection.device_profile import DeviceProfile
from dispatcher.front.connection.device_writer import DeviceWriter
from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import Pacer
from dispatcher.host_metrics.host import HostSample
from dispatcher.messages import Activity, Service
from dispatcher.redis_client import keys
from dispatcher.settings import Settings
from tests.unit.front.playout import Clock
from tests.unit.memory_redis import MemoryRedis

DEVICE = "02:4a:7d:e3:89:bf"
RULES = Conversation(filler=FillerRules(after_ms=0), stage_timeout_s=2.0)
_END = WSMessage(WSMsgType.CLOSED, None, None)


@dataclass
class FakeSocket:
    """A WebSocket and its transport; what the device sends is given at the start.

    Attributes:
        frames: what the device sends: text, binary, or None for a silence that is too long; then it ends.
        written: what was written to the device.
        closed_by: code and reason.
        backlog_bytes: what the device has not read.
    """

    frames: list[str | bytes | None] = field(default_factory=list)
    written: list[str | bytes] = field(default_factory=list)
    closed_by: tuple[int, bytes] | None = None
    backlog_bytes: int = 0

    @property
    def closed(self) -> bool:
        return self.closed_by is not None

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages that were written, without their session."""
        read = (json.loads(each) for each in self.written if isinstance(each, str))
        return [{name: value for name, value in each.items() if name != "session_id"} for each in read]

    async def receive(self, timeout: float) -> WSMessage:  # noqa: ASYNC109  as aiohttp has it
        assert timeout > 0
        if not self.frames:
            return _END
        frame = self.frames.pop(0)
        if frame is None:
            raise TimeoutError
        kind = WSMsgType.TEXT if isinstance(frame, str) else WSMsgType.BINARY
        return WSMessage(kind, frame, None)

    async def send_str(self, text: str) -> None:
        self.written.append(text)

    async def send_bytes(self, frame: bytes) -> None:
        self.written.append(frame)

    async def close(self, *, code: int, message: bytes) -> None:
        self.closed_by = self.closed_by or (code, message)

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.backlog_bytes

    def abort(self) -> None:
        self.closed_by = (1006, b"")

    @property
    def response(self) -> web.WebSocketResponse:
        """Return the socket as what the front takes."""
        return cast("web.WebSocketResponse", self)

    def writer(self, *, greeted: bool = True) -> DeviceWriter:
        """Return a writer to it."""
        writer = DeviceWriter(self.response, self, 1)
        writer.session_id = "a-session" if greeted else ""
        return writer


@dataclass(eq=False)
class FakeDevice:
    """A connected device as the rest of the front uses it."""

    socket: FakeSocket = field(default_factory=FakeSocket)
    activity: Activity = ""
    awaits_answer: bool = False
    received_at_s: float = 1.0
    invalidated: int = 0

    def __post_init__(self) -> None:
        self.writer = self.socket.writer()

    def invalidate_profile(self) -> None:
        self.invalidated += 1


@dataclass
class FakeFront:
    """A front's context on a Redis in memory and a clock that stands still."""

    context: FrontContext
    redis: MemoryRedis
    clock: Clock

    def queued(self, queue: str) -> list[dict[str, Any]]:
        """Return the tickets of the tasks in a queue, the oldest first."""
        bodies = (json.loads(json.loads(task)["body"]) for task in reversed(self.redis.lists[queue]))
        return [arguments[0] for arguments, *_ in bodies]

    def register(self, device_id: str = DEVICE, **fields: str) -> None:
        """Put a device in the registry."""
        self.redis.hashes[keys.device(device_id)].update(fields)

    def profile(self, device_id: str = DEVICE, client_id: str = "a-client") -> DeviceProfile:
        """Return the profile of a device."""
        return DeviceProfile(self.context, Peer(device_id=device_id, client_id=client_id))


def fake_front(
    *, rules: Conversation = RULES, services: Mapping[Service, ServiceConfig] | None = None, **settings: Any
) -> FakeFront:
    """Return a front that reaches nothing; called inside a loop."""
    redis, clock = MemoryRedis(), Clock()
    catalogue = Catalogue(path="", services=dict(services or {}), conversation=rules)
    context = FrontContext.create(
        Settings.model_validate({"front_auth": "off", **settings}), catalogue, redis=redis.redis()
    )
    return FakeFront(replace(context, pacer=Pacer(clock.loop)), redis, clock)


@dataclass
class IdleMeter:
    """Says how busy the host is: not much, unless the test says so."""

    cpu_ratio: float = 0.2

    def sample(self) -> HostSample:
        return HostSample(
            cpu_ratio=self.cpu_ratio,
            memory_ratio=0.2,
            network_ratio=None,
            network_bytes_per_s=None,
            cores=2,
            memory_bytes=1,
        )


async def settle(turns: int = 20) -> None:
    """Let everything run that is ready to."""
    for _ in range(turns):
        await asyncio.sleep(0)


def kinds(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return type and state of messages, such as "tts start"."""
    return [" ".join(filter(None, (each["type"], each.get("state", "")))) for each in messages]
