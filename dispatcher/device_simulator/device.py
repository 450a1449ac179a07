"""One device on one connection, which speaks turns and takes in the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

import aiohttp

from dispatcher.device_simulator import messages
from dispatcher.device_simulator.decode_queue import DecodeQueue
from dispatcher.device_simulator.device_reader import ServerMessageReader
from dispatcher.device_simulator.device_socket import DeviceSocket
from dispatcher.device_simulator.framing import Version
from dispatcher.device_simulator.handshake import drop, open_socket, wait_for_hello
from dispatcher.device_simulator.machine import DeviceMachine
from dispatcher.device_simulator.options import Address, DeviceOptions
from dispatcher.device_simulator.speech import paced, silence
from dispatcher.device_simulator.tools import Board, DeviceMcpServer
from dispatcher.device_simulator.turn import TurnEvent, TurnRecorder, TurnResult
from dispatcher.device_simulator.turn_exchange import TurnExchange
from dispatcher.errors import FrontError

REPLY_TIMEOUT_S: Final = 60.0


@asynccontextmanager
async def connect(
    session: aiohttp.ClientSession,
    address: Address,
    options: DeviceOptions,
    *,
    on_event: Callable[[TurnEvent], None] | None = None,
) -> AsyncGenerator[SimulatedDevice]:
    """Open the device's socket, exchange hellos, and read from it until the block ends.

    `on_event` is called in the loop for each event of a turn; the session may be shared.

    Raises:
        FrontError: nobody there, refused, or no hello within ten seconds.
        ProtocolError: a hello that would crash a stock device.
    """
    version: Version = options.version or address.version or 1
    socket = await open_socket(session, address, options, version)
    try:
        hello = await wait_for_hello(socket, messages.device_hello(options, version))
        link = DeviceSocket(socket, version=version, frame_ms=options.frame_ms)
        device = SimulatedDevice(link, hello, options, on_event=on_event)
        reader = asyncio.create_task(device.read())
        try:
            yield device
        finally:
            await device.close()
            await _cancel(reader)
    finally:
        await drop(socket)


class SimulatedDevice:
    """A device that follows the firmware's rules; made by `connect`, used for one turn at a time.

    More than twelve methods: what a user can do with a device, and what a test asks of it, each is one.

    Attributes:
        hello: the server's.
        machine: the state of the device.
        board: what its tools act on.
    """

    def __init__(
        self,
        socket: DeviceSocket,
        hello: messages.ServerHello,
        options: DeviceOptions,
        *,
        on_event: Callable[[TurnEvent], None] | None,
    ) -> None:
        """Begin idle on a socket that has exchanged hellos."""
        self.hello = hello
        self.machine = DeviceMachine(options.mode)
        self.board = Board()
        self._socket = socket
        self._options = options
        self._on_event = on_event
        self._queue = DecodeQueue(options.queue_frames, hello.audio_params.frame_duration)
        self._exchange = TurnExchange(socket)
        self._quiet_room: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the connection still stands, as far as the device can tell."""
        return self._socket.loss is None

    @property
    def is_spoken_to(self) -> bool:
        """Whether the front has said or shown anything in the turn that is under way, or was the last."""
        return self._exchange.recorder is not None and self._exchange.recorder.has_begun

    async def turn(self, speech: AsyncGenerator[bytes], *, timeout_s: float = REPLY_TIMEOUT_S) -> TurnResult:
        """Say something and return what came back.

        Args:
            speech: packets at the pace of a microphone (`paced`, or a real one); it is closed here.
            timeout_s: the front may be silent for so long, at most; a reply may be longer.

        Raises:
            FrontError: the connection was lost, or the front fell silent.
        """
        turn = self._begin_turn()
        await self._leave_quiet_room()
        if self.machine.start_listening():
            await self.send(messages.listen_start(self.hello.session_id, self._options.mode))
        await self._say(speech, turn)
        if self._options.mode == "manual" and turn.ended is None:
            await self.send(messages.listen_stop(self.hello.session_id))
            self.machine.stop_listening()
        else:
            # The microphone of a device in auto or realtime stays on, and records the room.
            self._quiet_room = asyncio.create_task(self._record_quiet_room())
        turn.end_speech(asyncio.get_running_loop().time())
        return await self._exchange.result(timeout_s)

    async def turn_text(self, text: str, *, timeout_s: float = REPLY_TIMEOUT_S) -> TurnResult:
        """Type something (`listen` `detect`) and return what came back.

        Raises:
            FrontError: as for `turn`.
        """
        turn = self._begin_turn()
        await self.send(messages.listen_detect(self.hello.session_id, text))
        turn.end_speech(asyncio.get_running_loop().time())
        return await self._exchange.result(timeout_s)

    async def abort(self, reason: str = "") -> None:
        """Speak over the reply; the device stays as it is until the front's `tts stop`."""
        await self.send(messages.abort(self.hello.session_id, reason))

    async def send_packet(self, packet: bytes) -> None:
        """Send one packet as a frame, whatever the state; wake-word audio comes like this."""
        await self._socket.send_packet(packet)

    async def send(self, payload: str | bytes) -> None:
        """Send a message or a frame as it is.

        Raises:
            FrontError: the connection is lost.
        """
        await self._socket.send(payload)

    async def read(self) -> None:
        """Handle what the front sends until the connection ends; `connect` runs it."""
        tools = DeviceMcpServer(self.board.tools()) if self._options.mcp else None
        session_id = self.hello.session_id
        await ServerMessageReader(self._socket, session_id, self.machine, self._exchange, tools).read()

    async def close(self) -> None:
        """End the microphone and the turn; the socket is its owner's."""
        await self._leave_quiet_room()
        self._exchange.close()

    def _begin_turn(self) -> TurnRecorder:
        turn = TurnRecorder(self._queue, keep_audio=self._options.keep_audio, on_event=self._on_event)
        self._exchange.begin(turn)
        return turn

    async def _say(self, speech: AsyncGenerator[bytes], turn: TurnRecorder) -> None:
        async with aclosing(speech):
            async for packet in speech:
                if turn.ended is not None or not self.machine.microphone_open:
                    return
                await self.send_packet(packet)

    async def _record_quiet_room(self) -> None:
        with suppress(FrontError):  # the reader raises it where the turn is waited for
            async with aclosing(paced(silence(self._options), self._options.frame_ms)) as room:
                async for packet in room:
                    if self.machine.microphone_open:
                        await self.send_packet(packet)

    async def _leave_quiet_room(self) -> None:
        if self._quiet_room is not None:
            await _cancel(self._quiet_room)
            self._quiet_room = None


async def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; a cancellation of the caller meanwhile is not swallowed."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
