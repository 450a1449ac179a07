"""The device's own words: its messages checked and turned into ours, ours written as its own.

Stock firmware and common clients differ in what they leave out, so nothing but a message's type is
required, and an unknown message is not an error.
"""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dispatcher.bounded_json import read_json
from dispatcher.errors import ProtocolError
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, UPLINK_RATE_HZ, AudioFormat

MAX_TEXT_BYTES: Final = 64 * 1024
MAX_UTTERANCE_CHARACTERS: Final = 2_000


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class AudioParams(_Message):
    """How the device sends its audio."""

    format: AudioFormat = "opus"
    sample_rate: int = Field(default=UPLINK_RATE_HZ, ge=8_000, le=48_000)
    frame_duration: int = Field(default=60, ge=5, le=120)


class Features(_Message):
    """What the device can do beside listening and speaking."""

    mcp: bool = False


class Hello(_Message):
    """The first message of a connection."""

    type: Literal["hello"]
    version: int | None = None
    features: Features = Features()
    audio_params: AudioParams = AudioParams()

    @field_validator("features", mode="before")
    @classmethod
    def known_features(cls, value: Any) -> Any:
        """Return no features for whatever is not an object: a hello is not refused for that."""
        if isinstance(value, Features):
            return value
        return {"mcp": isinstance(value, dict) and value.get("mcp") is True}


class Listen(_Message):
    """The microphone went on or off, a wake word was heard, or text was typed."""

    type: Literal["listen"]
    state: Literal["start", "stop", "detect"]
    mode: Literal["manual", "auto", "realtime"] = "auto"
    text: str = ""

    @field_validator("text", mode="before")
    @classmethod
    def bounded_text(cls, value: Any) -> Any:
        """Return the beginning of a long text, which is answered."""
        return value[:MAX_UTTERANCE_CHARACTERS] if isinstance(value, str) else value


class Abort(_Message):
    """A barge-in, whatever its reason is said to be."""

    type: Literal["abort"]


class Mcp(_Message):
    """JSON-RPC of the device's tools; what is in it is read by `jsonrpc`."""

    type: Literal["mcp"]
    payload: Any = None


class NewDialogue(_Message):
    """Begin the dialogue anew: a message of ours, answered with the same type when it is done."""

    type: Literal["new_dialogue"]


class Other(_Message):
    """A message that this front has no use for (yet): `ping`, `goodbye`, anything new."""

    type: str


DeviceMessage = Hello | Listen | Abort | Mcp | NewDialogue | Other
_MODELS: Final[dict[str, type[Hello | Listen | Abort | Mcp | NewDialogue]]] = {
    "hello": Hello,
    "listen": Listen,
    "abort": Abort,
    "mcp": Mcp,
    "new_dialogue": NewDialogue,
}


def parse(raw: str | bytes) -> DeviceMessage:
    """Return a device's text message.

    Raises:
        ProtocolError: not JSON, not an object, too long, or a field has a wrong type; the text says
            which field, what it was and what was expected.
    """
    if len(raw) > MAX_TEXT_BYTES:
        raise ProtocolError(f"message has {len(raw)} bytes, at most {MAX_TEXT_BYTES} are read")
    try:
        message = read_json(raw)
    except ValueError as error:
        raise ProtocolError(f"message is not JSON: {error}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("message has no `type`, expected an object with one")
    model = _MODELS.get(message["type"])
    if model is None:
        return Other(type=message["type"][:40])
    try:
        return model.model_validate({name: value for name, value in message.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ProtocolError(
            f"{message['type']}.{field}: was {_shown(field, first['input'])}; {first['msg']}"
        ) from error


def _shown(field: str, value: object) -> str:
    """Return a wrong value for the log; of what the user said only its kind and length."""
    if field == "text":
        return f"{type(value).__name__} of length {len(str(value))}"
    return f"{value!r:.80}"


def hello_answer(session_id: str, audio_format: AudioFormat = "opus") -> str:
    """Write the server's hello; a device without `transport` in it would crash."""
    return json.dumps(
        {
            "type": "hello",
            "transport": "websocket",
            "session_id": session_id,
            "audio_params": {
                "format": audio_format,
                "sample_rate": REPLY_RATE_HZ,
                "channels": 1,
                "frame_duration": REPLY_FRAME_MS,
            },
        }
    )


def message(
    kind: Literal["stt", "tts", "llm", "mcp", "alert", "new_dialogue"], session_id: str, **fields: Any
) -> str:
    """Write a message to the device."""
    return json.dumps({"type": kind, "session_id": session_id, **fields}, ensure_ascii=False)
