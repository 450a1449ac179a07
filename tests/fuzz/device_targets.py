"""Frames of devices: messages, sound in each framing, and the JSON-RPC of their tools."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any, Final

from hypothesis import strategies as st

from dispatcher.audio import packets
from dispatcher.audio.opus import OpusDecoder
from dispatcher.bounded_json import read_json
from dispatcher.catalogue.conversation import Conversation
from dispatcher.device_simulator import DeviceOptions
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import AudioError, ProtocolError, ToolError
from dispatcher.front.connection import frames, jsonrpc, protocol
from dispatcher.front.connection.microphone import MAX_PACKET_BYTES, Microphone
from dispatcher.front.connection.protocol import AudioParams
from dispatcher.tools import device_calls
from dispatcher.tools.tool_arguments import argument_problem, fitted
from dispatcher.tools.tool_schema import read_tool
from tests.fuzz.mutation import bytes_like, json_like
from tests.fuzz.target import Target, only, require_text
from tests.support.encoded import speech

_HELLO: Final[dict[str, Any]] = {
    "type": "hello",
    "version": 3,
    "features": {"aec": True, "mcp": True},
    "transport": "websocket",
    "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
}
_ARGUMENTS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"volume": 3.0},
    {"volume": None, "list": [[]]},
    {"volume": float("inf")},
)
_MESSAGES: Final[list[Any]] = [
    _HELLO,
    {"session_id": "s", "type": "listen", "state": "start", "mode": "auto"},
    {"type": "listen", "state": "detect", "text": "你好小智"},
    {"type": "abort", "reason": "wake_word_detected"},
    {"type": "mcp", "payload": {"jsonrpc": "2.0", "id": 1, "result": {}}},
    {"type": "goodbye"},
]
_NAMES_FIELD: Final = re.compile(r"(?:hello|listen|abort|mcp|new_dialogue)\.[\w.]*: was .+; .+", re.DOTALL)
_OPUS: Final = encode(speech(16_000)[:20_000], DeviceOptions())
_LIST: Final[list[Any]] = [
    {
        "name": "self.audio_speaker.set_volume",
        "description": "Sets it.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "volume": {"type": "integer", "minimum": 0, "maximum": 100},
                "how": {"enum": ["fast"], "anyOf": [{"type": "string"}, {"type": "null"}]},
                "list": {"type": "array", "items": {"type": ["string", "number"]}},
            },
            "required": ["volume"],
        },
    }
]
_PAYLOADS: Final[list[Any]] = [
    {"jsonrpc": "2.0", "id": 1, "result": {"tools": _LIST, "nextCursor": "x"}},
    {"jsonrpc": "2.0", "id": 2, "result": {"content": [{"type": "text", "text": "true"}], "isError": False}},
    {"jsonrpc": "2.0", "id": 3, "error": {"code": -32601, "message": "no such tool"}},
    {"jsonrpc": "2.0", "method": "notifications/x"},
]


def _message(data: bytes) -> None:
    """Read a message; one of a known type that is refused has its field named."""
    for raw in (data, data.decode("utf-8", "replace")):
        with only(ProtocolError):
            require_text(protocol.parse(raw).model_dump())
    said = ""
    try:
        protocol.parse(data)
    except ProtocolError as error:
        said = str(error)
    with suppress(ValueError):
        found = read_json(data)
        if said and isinstance(found, dict) and isinstance(found.get("type"), str):
            assert _NAMES_FIELD.fullmatch(said), said


def _frame(data: bytes) -> None:
    """Unpack a frame of each version, and record what it holds."""
    for version in frames.VERSIONS:
        with only(ProtocolError):
            payload, is_json = frames.unpack(version, data)
            assert payload in data
            if is_json:
                protocol.parse(payload)
    with only(AudioError):
        assert packets.pack(packets.unpack(data)) == data


def _sound(data: bytes) -> None:
    """Record and decode the packets of a case, Opus and PCM."""
    try:
        found = packets.unpack(data)
    except AudioError:
        found = [data]
    decoder = OpusDecoder(16_000)
    for audio_format in ("opus", "pcm"):
        params = AudioParams.model_validate({"format": audio_format, "sample_rate": 48_000})
        microphone = Microphone(params, Conversation(max_utterance_s=1))
        for packet in found:
            microphone.add(packet, watch_speech=False)
            with only(AudioError):
                assert 0 <= decoder.packet_duration_ms(packet) <= 120
                assert len(decoder.decode(packet)) <= 16_000 * 2 * 120 // 1000
        recording = microphone.take()
        assert sum(map(len, recording)) <= sum(map(len, found))
        assert all(len(packet) <= MAX_PACKET_BYTES[params.format] for packet in recording)


def _payload(data: bytes) -> None:
    """Take an answer of a device's tools in, as its client and the LLM's stage do."""
    try:
        payload = read_json(data)
    except ValueError:
        return
    answer = jsonrpc.read_answer(payload)
    if answer is None:
        return
    require_text(answer.error)
    require_text(jsonrpc.tool_result(answer.result).text)
    listed = answer.result.get("tools") if isinstance(answer.result, dict) else None
    tools = []
    for raw in listed if isinstance(listed, list) else [answer.result]:
        with only(ToolError):
            tools.append(read_tool(raw))
    require_text(device_calls.pack(tools).packed)
    for tool in tools:
        for arguments in _ARGUMENTS:
            if not argument_problem(tool.parameters, arguments):
                json.dumps(fitted(tool.parameters, arguments))


TARGETS: Final = (
    Target(
        name="message",
        cases=json_like(_MESSAGES) | bytes_like([json.dumps(each).encode() for each in _MESSAGES]),
        check=_message,
    ),
    Target(
        name="frame",
        cases=st.binary(max_size=60)
        | bytes_like([frames.pack(version, b"opus", 60) for version in frames.VERSIONS])
        | json_like(_MESSAGES).map(lambda each: b"\x01\x00" + len(each).to_bytes(2, "big") + each),
        check=_frame,
    ),
    Target(
        name="sound",
        cases=st.lists(st.binary(max_size=40) | bytes_like(_OPUS), max_size=6).map(packets.pack),
        check=_sound,
    ),
    Target(name="tools", cases=json_like(_PAYLOADS), check=_payload),
)
