"""Socket, exchange and reader of a device, on a socket in memory."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from dispatcher.device_simulator.decode_queue import DecodeQueue
from dispatcher.device_simulator.device_reader import ServerMessageReader
from dispatcher.device_simulator.device_socket import DeviceSocket
from dispatcher.device_simulator.framing import wrap
from dispatcher.device_simulator.machine import DeviceMachine, Mode
from dispatcher.device_simulator.tools import Board, DeviceMcpServer
from dispatcher.device_simulator.turn import TurnRecorder
from dispatcher.device_simulator.turn_exchange import TurnExchange
from dispatcher.errors import FrontError


class SocketInMemory:
    """What the front sends, and what was sent to it."""

    def __init__(self, *received: str | bytes, breaks: bool = False) -> None:
        self.sent: list[str | bytes] = []
        self.close_code = 1006
        self._received = received
        self._breaks = breaks

    async def __aiter__(self) -> Any:
        for data in self._received:
            kind = aiohttp.WSMsgType.TEXT if isinstance(data, str) else aiohttp.WSMsgType.BINARY
            yield aiohttp.WSMessage(kind, data, None)

    async def send_str(self, text: str) -> None:
        if self._breaks:
            raise ConnectionResetError("reset")
        self.sent.append(text)

    send_bytes = send_str


class Reading:
    """A device whose reader has read all that a front sent during a turn."""

    def __init__(self, *received: str | bytes, mode: Mode = "auto", breaks: bool = False) -> None:
        self.raw = SocketInMemory(*received, breaks=breaks)
        self.socket = DeviceSocket(self.raw, version=3, frame_ms=60)  # type: ignore[arg-type]
        self.exchange = TurnExchange(self.socket)
        self.machine = DeviceMachine(mode)
        self.board = Board()
        self.recorder = TurnRecorder(DecodeQueue(), keep_audio=True, on_event=None)
        tools = DeviceMcpServer(self.board.tools())
        self.reader = ServerMessageReader(self.socket, "a-session", self.machine, self.exchange, tools)

    async def of_turn(self) -> Reading:
        self.exchange.begin(self.recorder)
        self.machine.start_listening()
        self.recorder.end_speech(0.0)
        await self.reader.read()
        return self


def message(kind: str, **fields: Any) -> str:
    return json.dumps({"type": kind, **fields})


START, STOP = message("tts", state="start"), message("tts", state="stop")


async def test_a_reply_from_start_to_stop_is_the_result_of_the_turn() -> None:
    frames = [wrap(packet, version=3) for packet in (b"1", b"2")]
    shown = message("tts", state="sentence_start", text="It is noon.")
    turn = await Reading(message("stt", text="time"), START, shown, *frames, STOP).of_turn()

    result = await turn.exchange.result(1.0)
    assert (result.transcript, result.packets) == ("time", (b"1", b"2"))
    assert [sentence.text for sentence in result.sentences] == ["It is noon."]


async def test_a_device_in_auto_mode_listens_again_after_the_reply() -> None:
    turn = await Reading(START, STOP).of_turn()
    assert [json.loads(sent)["state"] for sent in turn.raw.sent] == ["start"]


async def test_a_call_of_a_tool_is_answered() -> None:
    params = {"name": "self.audio_speaker.set_volume", "arguments": {"volume": 30}}
    payload = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    turn = await Reading(message("mcp", payload=payload)).of_turn()

    assert turn.board.volume == 30
    assert json.loads(turn.raw.sent[0])["payload"]["id"] == 7
    assert turn.recorder.has_begun


async def test_a_message_that_no_device_can_read_loses_the_connection() -> None:
    turn = await Reading("no json").of_turn()
    assert "no json" in str(turn.socket.loss)


async def test_the_end_of_the_connection_ends_the_turn_and_every_later_one() -> None:
    turn = await Reading().of_turn()
    with pytest.raises(FrontError, match="closed the connection \\(code 1006\\)"):
        await turn.exchange.result(1.0)
    with pytest.raises(FrontError, match="code 1006"):
        turn.exchange.begin(turn.recorder)


async def test_a_front_that_falls_silent_is_an_error_of_the_turn() -> None:
    turn = Reading()
    turn.exchange.begin(turn.recorder)
    with pytest.raises(FrontError, match="the front said nothing"):
        await turn.exchange.result(0.01)


async def test_each_packet_has_the_time_of_its_frame() -> None:
    raw = SocketInMemory()
    socket = DeviceSocket(raw, version=2, frame_ms=60)  # type: ignore[arg-type]
    await socket.send_packet(b"a")
    await socket.send_packet(b"b")
    assert raw.sent == [
        wrap(b"a", version=2, timestamp_ms=0),
        wrap(b"b", version=2, timestamp_ms=60),
    ]


async def test_a_broken_socket_is_a_front_error() -> None:
    turn = Reading(breaks=True)
    with pytest.raises(FrontError, match="the connection to the front broke: reset"):
        await turn.socket.send("x")


async def test_a_turn_that_is_given_up_leaves_no_warning_behind() -> None:
    turn = Reading()
    turn.exchange.begin(turn.recorder)
    turn.exchange.lose(FrontError("gone"))
    turn.exchange.close()
    await asyncio.sleep(0)
