"""A session of one device as a script: any messages, sound and replies, on the real connection.

What holds is what stock firmware relies on (docs at the head of `front/connection/protocol.py` and frames):
one hello, sound and subtitles only between `tts start` and `tts stop`, never a second start before a stop,
`tts stop` for each abort at once, one turn at a time, and nothing left when the device has gone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final
from unittest.mock import patch

from aiohttp import WSMessage
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dispatcher.audio.packets import pack
from dispatcher.front.connection import frames
from dispatcher.front.connection.device_connection import DeviceConnection
from dispatcher.front.connection.microphone import SpeechDetector
from dispatcher.messages import Reply
from tests.fuzz.target import Target, run
from tests.unit.front.fakes import RULES, FakeFront, FakeSocket, fake_front, settle

# 60 ms of silence in one byte.
_PACKET: Final = b"\x58"
_MESSAGES: Final[dict[str, str]] = {
    "hello": json.dumps({"type": "hello", "version": 1}),
    "hello 3": json.dumps({"type": "hello", "version": 3, "features": {"mcp": True}}),
    "hello pcm": json.dumps({"type": "hello", "audio_params": {"format": "pcm", "sample_rate": 24000}}),
    "start manual": json.dumps({"type": "listen", "state": "start", "mode": "manual"}),
    "start auto": json.dumps({"type": "listen", "state": "start", "mode": "auto"}),
    "start realtime": json.dumps({"type": "listen", "state": "start", "mode": "realtime"}),
    "stop": json.dumps({"type": "listen", "state": "stop"}),
    "text": json.dumps({"type": "listen", "state": "detect", "text": "how late is it?"}),
    "wake": json.dumps({"type": "listen", "state": "detect", "text": "你好小智"}),
    "no text": json.dumps({"type": "listen", "state": "detect", "text": ""}),
    "abort": json.dumps({"type": "abort", "reason": "wake_word_detected"}),
    "goodbye": json.dumps({"type": "goodbye"}),
    "new dialogue": json.dumps({"type": "new_dialogue"}),
    "mcp": json.dumps({"type": "mcp", "payload": {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{}]}}}),
    "ping": json.dumps({"type": "ping"}),
    "wrong": json.dumps({"type": "listen", "state": "begin"}),
    "noise": "{",
}
_REPLIES: Final[dict[str, dict[str, Any]]] = {
    "transcript": {"kind": "transcript", "text": "When do we eat?"},
    "no words": {"kind": "transcript", "text": ""},
    "emotion": {"kind": "emotion", "text": "happy"},
    "alive": {"kind": "alive"},
    "sentence": {"kind": "sentence", "text": "At noon."},
    "sentence 1": {"kind": "sentence", "text": "Or later.", "index": 1},
    "audio": {"kind": "audio", "packets": pack([b"one", b"two"]), "last": True},
    "audio 1": {"kind": "audio", "packets": pack([b"three"]), "index": 1, "last": True},
    "half audio": {"kind": "audio", "packets": pack([b"half"])},
    "end": {"kind": "end", "index": 1},
    "end 2": {"kind": "end", "index": 2},
    "end 0": {"kind": "end"},
    "failed": {"kind": "failed", "text": "llm: no instance"},
    "lost": {"kind": "lost", "text": "llm"},
    "broken": {"kind": "audio", "packets": b"\xff\xff\x00"},
    "unknown": {"kind": "unknown"},
}
_OTHERS: Final = (
    "sound",
    "speech",
    "silence",
    "odd frame",
    "idle",
    "clock",
    "late",
    "play",
    "second attempt",
)
ACTIONS: Final = (*_MESSAGES, *_REPLIES, *_OTHERS)


@dataclass
class _Voice:
    """A speech meter that hears what the script says."""

    probability: float = 0.0

    def feed(self, _: bytes) -> Sequence[float]:
        # Long enough to be taken for speech, or for its end.
        return [self.probability] * 60

    def reset(self) -> None:
        pass


@cache
def _front() -> FakeFront:
    """Return one front for all scripts: to encode its apologies takes 30 ms."""
    return fake_front(rules=replace(RULES, wake_words=("你好小智",)))


@dataclass
class ScriptedSocket(FakeSocket):
    """A socket whose device follows a script, and whose front gets replies in between.

    Attributes:
        uttered: packets of the utterance since its button went down; None while none may be under way.
        owed: how many turns have begun, where what is uttered was ended by the button.
    """

    script: Iterator[str] = field(default_factory=lambda: iter(()))
    front: FakeFront = field(default_factory=_front)
    voice: _Voice = field(default_factory=_Voice)
    attempt: int = 1
    uttered: int | None = None
    owed: int | None = None
    version: frames.Version = 1

    async def receive(self, timeout: float) -> WSMessage:  # noqa: ASYNC109  as aiohttp has it
        while not self.frames and (action := next(self.script, None)) is not None:
            await settle()
            self._require_rules()
            self._act(action)
        return await super().receive(timeout)

    def _act(self, action: str) -> None:
        self._foresee(action)
        if action in _MESSAGES:
            self.frames.append(_MESSAGES[action])
        elif action in _REPLIES:
            self._reply(_REPLIES[action])
        else:
            self._do(action)

    def _reply(self, fields: dict[str, Any]) -> None:
        for turn_id in list(self.front.context.turns._turns):
            self.front.context.turns.route(Reply(turn_id=turn_id, attempt=self.attempt, **fields))

    def _do(self, action: str) -> None:
        match action:
            case "sound" | "speech" | "silence":
                self.voice.probability = 1.0 if action == "speech" else 0.0
                self.frames += [frames.pack(self.version, _PACKET, 0)] * 2
            case "odd frame":
                self.frames.append(b"\x00\x01\x00")
            case "idle":
                self.frames.append(None)
            case "clock":
                self.front.clock.advance(0.5)
            case "late":
                self.front.clock.advance(RULES.stage_timeout_s + 1)
                self.front.context.turns.check_late()
            case "play":
                self.front.clock.advance()
            case "second attempt":
                self.attempt = 3 - self.attempt

    def _foresee(self, action: str) -> None:
        """Follow the one way to a turn that needs no model of endpointing: a button held while one speaks."""
        begun = self.front.context.turns.begun
        if self.owed is not None:
            assert begun == self.owed, f"{begun} turns began, expected {self.owed}"
            self.owed = None
        is_greeted = any(isinstance(each, str) and '"hello"' in each for each in self.written)
        if action.startswith("hello") and not is_greeted:
            self.version = 3 if action == "hello 3" else 1
        if action == "start manual":
            self.uttered = 0
        elif action in ("sound", "speech", "silence") and self.uttered is not None:
            self.uttered += is_greeted
        elif action == "stop" and self.uttered is not None:
            self.owed = begun + (self.uttered > 0)
            self.uttered = None
        elif action not in (*_REPLIES, "ping", "noise", "wrong", "mcp", "clock"):
            self.uttered = None

    def _require_rules(self) -> None:
        assert len(self.front.context.turns) <= 1, "two turns at a time"
        require_protocol(self.written)


def require_protocol(written: Sequence[str | bytes]) -> None:
    """Do nothing where all that was written to a device is what its firmware takes."""
    session_id, speaks = "", False
    for each in written:
        if isinstance(each, bytes):
            assert speaks, "sound outside of speaking"
            continue
        message = json.loads(each)
        if message["type"] == "hello":
            assert not session_id, "a second hello"
            session_id = message["session_id"]
            continue
        assert message["session_id"] == session_id
        if message["type"] != "tts":
            continue
        if message["state"] == "start":
            assert not speaks, "a start while it speaks, which drops what it has not played"
        elif message["state"] == "sentence_start":
            assert speaks, "a subtitle outside of speaking"
        speaks = message["state"] != "stop"


def _session(script: bytes) -> None:
    actions = [line for line in script.decode().split("\n") if line]
    with capture_logs() as logged:
        run(_serve(actions))
    unusable = [each for each in logged if each["log_level"] in ("error", "critical")]
    # A broken entry is dropped with a line in the log, and nothing else is an error.
    assert all(each.get("kind") in ("audio", "unknown") for each in unusable), unusable


async def _serve(actions: Sequence[str]) -> None:
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    socket = ScriptedSocket(script=iter(actions))
    front = socket.front

    async def load(detector: SpeechDetector) -> None:
        detector._meter = socket.voice  # type: ignore[assignment]

    writer = socket.writer(greeted=False)
    device = DeviceConnection(front.context, socket.response, writer, front.profile())
    with patch.object(SpeechDetector, "load", load):
        await device.serve()
        await settle()
    written = len(socket.written)
    front.clock.advance()
    await settle()
    require_protocol(socket.written)
    assert len(socket.written) == written, "something was sent to a device that has gone"
    assert (len(front.context.turns), front.context.devices) == (0, {})
    assert not raised, raised
    for kept in (front.redis.commands, front.redis.scripts, front.redis.lists):
        kept.clear()


TARGET: Final = Target(
    name="session",
    cases=st.lists(st.sampled_from(ACTIONS), max_size=30).map(
        lambda each: "\n".join(["hello", *each]).encode()
    )
    | st.lists(st.sampled_from(ACTIONS), max_size=12).map(lambda each: "\n".join(each).encode()),
    check=_session,
    weight=0.2,
)
