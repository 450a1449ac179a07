"""The JSON messages: those a device sends, and those it understands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dispatcher.device_simulator.framing import Version
from dispatcher.device_simulator.machine import Mode
from dispatcher.device_simulator.options import DeviceOptions
from dispatcher.errors import ProtocolError
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, UPLINK_RATE_HZ


class _Received(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ServerAudioParams(_Received):
    """The audio that the server will send."""

    format: str = "opus"
    sample_rate: int = Field(default=REPLY_RATE_HZ, gt=0)
    channels: int = 1
    frame_duration: int = Field(default=REPLY_FRAME_MS, gt=0)


class ServerHello(_Received):
    """The server's hello; `transport` and `session_id` are what a device or the Python SDK crash without."""

    type: Literal["hello"]
    transport: Literal["websocket"]
    session_id: str
    audio_params: ServerAudioParams


class ServerMessage(_Received):
    """Any other message; a field is empty where the kind does not carry it."""

    type: str
    state: str = ""
    text: str = ""
    emotion: str = ""
    payload: Any = None


def read_message(text: str) -> ServerMessage:
    """Return a message from the server.

    Raises:
        ProtocolError: not a JSON object with a type, or a field of the wrong type.
    """
    try:
        return ServerMessage.model_validate_json(text)
    except ValidationError as error:
        raise ProtocolError(f"server sent {text[:200]!r}: {_first_problem(error)}") from error


def read_hello(text: str) -> ServerHello:
    """Return the server's hello.

    Raises:
        ProtocolError: it lacks what a stock device needs.
    """
    try:
        return ServerHello.model_validate_json(text)
    except ValidationError as error:
        raise ProtocolError(f"server said hello as {text[:200]!r}: {_first_problem(error)}") from error


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'message'}: {first['msg'].lower()}"


def device_hello(options: DeviceOptions, version: Version) -> str:
    """Return the first message of a connection, which names the framing as its header does."""
    return json.dumps(
        {
            "type": "hello",
            "version": version,
            "transport": "websocket",
            "features": {"mcp": True} if options.mcp else {},
            "audio_params": {
                "format": options.audio_format,
                "sample_rate": UPLINK_RATE_HZ,
                "channels": 1,
                "frame_duration": options.frame_ms,
            },
        }
    )


def listen_start(session_id: str, mode: Mode) -> str:
    """Return what says that the microphone is on."""
    return _message(session_id, "listen", state="start", mode=mode)


def listen_stop(session_id: str) -> str:
    """Return what a released talk button says; manual mode only."""
    return _message(session_id, "listen", state="stop")


def listen_detect(session_id: str, text: str) -> str:
    """Return a wake word, or any typed text."""
    return _message(session_id, "listen", state="detect", text=text)


def mcp(session_id: str, payload: Mapping[str, Any]) -> str:
    """Return what the device's tools answer."""
    return _message(session_id, "mcp", payload=payload)


def abort(session_id: str, reason: str = "") -> str:
    """Return a barge-in; the firmware's own reason is `wake_word_detected`, a button gives none."""
    return _message(session_id, "abort", **({"reason": reason} if reason else {}))


def _message(session_id: str, kind: str, **fields: Any) -> str:
    return json.dumps({"session_id": session_id, "type": kind, **fields}, ensure_ascii=False)
