"""One device on one connection: it speaks a turn and hears the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final

import aiohttp
import structlog

from dispatcher.device_simulator import messages
from dispatcher.device_simulator.decode_queue import DecodeQueue
from dispatcher.device_simulator.framing import Version, unwrap, wrap
from dispatcher.device_simulator.handshake import drop, open_socket, wait_for_hello
from dispatcher.device_simulator.machine import DeviceMachine
from dispatcher.device_simulator.options import Address, DeviceOptions
from dispatcher.device_simulator.speech import paced, silence
from dispatcher.device_simulator.tools import Board, McpServer, describe
from dispatcher.device_simulator.turn import TurnEvent, TurnRecorder, TurnResult
from dispatcher.errors import DispatcherError, FrontError

log = structlog.get_logger(__name__)

ANSWER_TIMEOUT_S: Final = 60.0


@asynccontextmanager
async def connect(
    session: aiohttp.ClientSession,
    address: Address,
    options: DeviceOptions,
    *,
    on_event: Callable[[TurnEvent], None] | None = None,
) -> AsyncGenerator[SimulatedDevice]:
    """Open the device's socket, exchange hellos, and read it until the block ends.

    `on_event` is called in the loop for each event of a turn; the session may be shared.

    Raises:
        FrontError: nobody there, refused, or no hello within ten seconds.
        ProtocolError: a hello that would crash a stock device.
    """
    version: Version = options.version or address.version or 1
    socket = await open_socket(session, address, options, version)
    try:
        hello = await wait_for_hello(socket, messages.device_hello(options, version))
        device = SimulatedDevice(socket, hello, options, version=version, on_event=on_event)
        reader = asyncio.create_task(device.read())
        try:
            yield device
        finally:
            await device.hang_up()
            await _cancel(reader)
    finally:
        await drop(socket)


class SimulatedDevice:
    """Speaks and hears by the firmware's rules; made by `connect`, used for one turn at a time.

    Attributes:
        hello: what the server promised.
        machine: the state of the device.
        board: what its tools turn.
    """

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        hello: messages.ServerHello,
        options: DeviceOptions,
        *,
        version: Version,
        on_event: Callable[[TurnEvent], None] | None,
    ) -> None:
        """Begin idle on a socket that has exchanged hellos."""
        self.hello = hello
        self.machine = DeviceMachine(options.mode)
        self.board = Board()
        self._tools = McpServer(self.board.tools()) if options.mcp else None
        self._socket = socket
        self._options = options
        self._version = version
        self._on_event = on_event
        self._queue = DecodeQueue(options.queue_frames, hello.audio_params.frame_duration)
        self._turn: TurnRecorder | None = None
        self._over: asyncio.Future[TurnResult] = asyncio.get_running_loop().create_future()
        self._quiet_room: asyncio.Task[None] | None = None
        self._lost: DispatcherError | None = None
        self._sent = 0
        self._heard_s = 0.0
        self._now_s = asyncio.get_running_loop().time

    @property
    def is_connected(self) -> bool:
        """Whether the connection still stands, as far as the device knows."""
        return self._lost is None

    @property
    def is_spoken_to(self) -> bool:
        """Whether the front has said or shown anything in the turn that is under way, or was the last."""
        return self._turn is not None and self._turn.has_begun

    async def turn(self, speech: AsyncGenerator[bytes], *, timeout_s: float = ANSWER_TIMEOUT_S) -> TurnResult:
        """Say something and return what came back.

        Args:
            speech: packets at the pace of a microphone (`paced`, or a real one); it is closed here.
            timeout_s: the front may be silent for so long, at most; a reply may be longer.

        Raises:
            FrontError: the connection was lost, or the front fell silent.
        """
        turn = self._begin_turn()
        await self._stop_quiet_room()
        if self.machine.start_listening():
            await self.send(messages.listen_start(self.hello.session_id, self._options.mode))
        await self._say(speech, turn)
        if self._options.mode == "manual" and turn.ended is None:
            await self.send(messages.listen_stop(self.hello.session_id))
            self.machine.stop_listening()
        else:
            # The microphone of a device in auto or realtime stays on, and hears the room.
            self._quiet_room = asyncio.create_task(self._hear_the_room())
        turn.end_speech(self._now_s())
        return await self._answer(timeout_s)

    async def turn_text(self, text: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> TurnResult:
        """Type something (`listen` `detect`) and return what came back.

        Raises:
            FrontError: as for `turn`.
        """
        turn = self._begin_turn()
        await self.send(messages.listen_detect(self.hello.session_id, text))
        turn.end_speech(self._now_s())
        return await self._answer(timeout_s)

    async def abort(self, reason: str = "") -> None:
        """Speak over the reply; the device stays as it is until the front's `tts stop`."""
        await self.send(messages.abort(self.hello.session_id, reason))

    async def send_packet(self, packet: bytes) -> None:
        """Send one packet as a frame, whatever the state; wake-word audio comes like this."""
        timestamp_ms = self._sent * self._options.frame_ms
        self._sent += 1
        await self.send(wrap(packet, version=self._version, timestamp_ms=timestamp_ms))

    async def send(self, payload: str | bytes) -> None:
        """Send a message or a frame as it is.

        Raises:
            FrontError: the connection is lost.
        """
        try:
            await (
                self._socket.send_str(payload)
                if isinstance(payload, str)
                else self._socket.send_bytes(payload)
            )
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self._lost or FrontError(f"the connection to the front broke: {error}") from error

    async def read(self) -> None:
        """Handle what comes until the connection ends; `connect` runs it."""
        try:
            async for message in self._socket:
                self._heard_s = self._now_s()
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._take_frame(message.data)
                elif message.type is aiohttp.WSMsgType.TEXT:
                    await self._take_message(message.data)
            self._lose(FrontError(f"the front closed the connection (code {self._socket.close_code})"))
        except DispatcherError as error:
            self._lose(error)

    async def hang_up(self) -> None:
        """End what the device does by itself; the socket is its owner's."""
        await self._stop_quiet_room()
        if not self._over.done():
            self._over.cancel()
        elif not self._over.cancelled():
            self._over.exception()  # a loss in the middle of speaking was raised by `send` already

    def _begin_turn(self) -> TurnRecorder:
        if self._lost is not None:
            raise self._lost
        self._over = asyncio.get_running_loop().create_future()
        self._turn = TurnRecorder(self._queue, keep_audio=self._options.keep_audio, on_event=self._on_event)
        return self._turn

    async def _say(self, speech: AsyncGenerator[bytes], turn: TurnRecorder) -> None:
        async with aclosing(speech):
            async for packet in speech:
                if turn.ended is not None or not self.machine.microphone_open:
                    return
                await self.send_packet(packet)

    async def _hear_the_room(self) -> None:
        with suppress(FrontError):  # the reader says it to whoever waits for the turn
            async with aclosing(paced(silence(self._options), self._options.frame_ms)) as room:
                async for packet in room:
                    if self.machine.microphone_open:
                        await self.send_packet(packet)

    async def _stop_quiet_room(self) -> None:
        if self._quiet_room is not None:
            await _cancel(self._quiet_room)
            self._quiet_room = None

    async def _answer(self, timeout_s: float) -> TurnResult:
        self._heard_s = self._now_s()
        while not self._over.done():
            wait_s = self._heard_s + timeout_s - self._now_s()
            if wait_s <= 0:
                raise FrontError(f"no answer: the front said nothing for {timeout_s:.0f} s")
            await asyncio.wait([self._over], timeout=wait_s)
        return self._over.result()

    def _take_frame(self, frame: bytes) -> None:
        packet = unwrap(frame, version=self._version)
        if self._turn is not None:
            self._turn.hear_frame(packet, self._now_s(), accepted=self.machine.accepts_audio)

    async def _take_message(self, text: str) -> None:
        message = messages.read_message(text)
        if message.type == "tts":
            await self._take_tts(message)
        elif message.type == "mcp":
            await self._take_mcp(message.payload)
        elif self._turn is None:
            return
        elif message.type == "stt":
            self._turn.hear_transcript(message.text, self._now_s())
        elif message.type == "llm" and message.emotion:
            self._turn.show_emotion(message.emotion, self._now_s())

    async def _take_mcp(self, payload: Any) -> None:
        answer = self._tools.answer(payload) if self._tools is not None else None
        if answer is None:
            return
        if self._turn is not None and payload.get("method") == "tools/call":
            self._turn.note_tool(describe(payload.get("params"), answer), self._now_s())
        await self.send(messages.mcp(self.hello.session_id, answer))

    async def _take_tts(self, message: messages.ServerMessage) -> None:
        turn = self._turn
        if message.state == "start":
            self.machine.begin_speaking()
            if turn is not None:
                turn.begin_reply()
        elif message.state == "sentence_start" and turn is not None:
            turn.show_sentence(message.text, self._now_s())
        elif message.state == "stop":
            if turn is not None and turn.end_reply(self._now_s()):
                self._finish(turn)
            if self.machine.end_speaking():
                await self.send(messages.listen_start(self.hello.session_id, self._options.mode))

    def _finish(self, turn: TurnRecorder) -> None:
        if not self._over.done() and turn.ended is not None:
            self._over.set_result(turn.ended)

    def _lose(self, error: DispatcherError) -> None:
        self._lost = error
        if self._turn is not None and not self._over.done():
            self._over.set_exception(error)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
