"""Reader of a device: every message and frame of the front, by the rules of the firmware."""

from __future__ import annotations

import asyncio
from typing import Any

from dispatcher.device_simulator import messages
from dispatcher.device_simulator.device_socket import DeviceSocket
from dispatcher.device_simulator.framing import unwrap
from dispatcher.device_simulator.machine import DeviceMachine
from dispatcher.device_simulator.tools import DeviceMcpServer, describe
from dispatcher.device_simulator.turn_exchange import TurnExchange
from dispatcher.errors import DispatcherError


class ServerMessageReader:
    """Takes in what the front sends: state of the device, events of the turn, calls of tools."""

    def __init__(
        self,
        socket: DeviceSocket,
        session_id: str,
        machine: DeviceMachine,
        exchange: TurnExchange,
        tools: DeviceMcpServer | None,
    ) -> None:
        """Read this socket; without tools, calls are ignored."""
        self._socket = socket
        self._session_id = session_id
        self._machine = machine
        self._exchange = exchange
        self._tools = tools
        self._now_s = asyncio.get_running_loop().time

    async def read(self) -> None:
        """Handle frames and messages until the connection ends."""
        try:
            async for received in self._socket.received():
                if isinstance(received, bytes):
                    self._take_frame(received)
                else:
                    await self._take_message(messages.read_message(received))
        except DispatcherError as error:
            self._exchange.lose(error)

    def _take_frame(self, frame: bytes) -> None:
        packet = unwrap(frame, version=self._socket.version)
        if (turn := self._exchange.recorder) is not None:
            turn.add_frame(packet, self._now_s(), accepted=self._machine.accepts_audio)

    async def _take_message(self, message: messages.ServerMessage) -> None:
        turn = self._exchange.recorder
        if message.type == "tts":
            await self._take_tts(message)
        elif message.type == "mcp":
            await self._take_mcp(message.payload)
        elif message.type == "stt" and turn is not None:
            turn.set_transcript(message.text, self._now_s())
        elif message.type == "llm" and message.emotion and turn is not None:
            turn.set_emotion(message.emotion, self._now_s())

    async def _take_mcp(self, payload: Any) -> None:
        answer = self._tools.answer(payload) if self._tools is not None else None
        if answer is None:
            return
        if (turn := self._exchange.recorder) is not None and payload.get("method") == "tools/call":
            turn.add_tool_call(describe(payload.get("params"), answer), self._now_s())
        await self._socket.send(messages.mcp(self._session_id, answer))

    async def _take_tts(self, message: messages.ServerMessage) -> None:
        turn = self._exchange.recorder
        if message.state == "start":
            self._machine.begin_speaking()
            if turn is not None:
                turn.begin_reply()
        elif message.state == "sentence_start" and turn is not None:
            turn.add_sentence(message.text, self._now_s())
        elif message.state == "stop":
            if turn is not None and (result := turn.end_reply(self._now_s())) is not None:
                self._exchange.finish(result)
            if self._machine.end_speaking():
                await self._socket.send(messages.listen_start(self._session_id, self._machine.mode))
