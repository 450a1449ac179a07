"""The turn that a device waits for: its recorder, and the result or the loss of the connection."""

from __future__ import annotations

import asyncio

from dispatcher.device_simulator.device_socket import DeviceSocket
from dispatcher.device_simulator.turn import TurnRecorder, TurnResult
from dispatcher.errors import DispatcherError, FrontError


class TurnExchange:
    """One turn at a time.

    Attributes:
        recorder: of the turn that is under way, or was the last; None before the first.
    """

    def __init__(self, socket: DeviceSocket) -> None:
        """Begin without a turn."""
        self.recorder: TurnRecorder | None = None
        self._socket = socket
        self._result: asyncio.Future[TurnResult] = asyncio.get_running_loop().create_future()

    def begin(self, recorder: TurnRecorder) -> None:
        """Begin a turn.

        Raises:
            DispatcherError: the connection was lost before.
        """
        if self._socket.loss is not None:
            raise self._socket.loss
        self._result = asyncio.get_running_loop().create_future()
        self.recorder = recorder

    def finish(self, result: TurnResult) -> None:
        """End the turn with its result."""
        if not self._result.done():
            self._result.set_result(result)

    def lose(self, error: DispatcherError) -> None:
        """End the turn, if one is under way, with the loss of the connection."""
        self._socket.loss = error
        if self.recorder is not None and not self._result.done():
            self._result.set_exception(error)

    async def result(self, timeout_s: float) -> TurnResult:
        """Return the result; the front may be silent for so long.

        Raises:
            FrontError: the connection was lost, or the front fell silent.
        """
        clock = asyncio.get_running_loop().time
        self._socket.received_at_s = clock()
        while not self._result.done():
            wait_s = self._socket.received_at_s + timeout_s - clock()
            if wait_s <= 0:
                raise FrontError(f"no answer: the front said nothing for {timeout_s:.0f} s")
            await asyncio.wait([self._result], timeout=wait_s)
        return self._result.result()

    def close(self) -> None:
        """Give up the turn; a loss in the middle of speaking was raised by `send` already."""
        if not self._result.done():
            self._result.cancel()
        elif not self._result.cancelled():
            self._result.exception()
