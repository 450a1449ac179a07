"""Handover of the listening socket between a front and the supervisor that started it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, Self

import structlog

from dispatcher.front.http.own_addresses import bind_sockets
from dispatcher.messages import CHANNEL_VARIABLE, SAYS_LEAVING, SAYS_SERVING, SOCKET_VARIABLE
from dispatcher.settings import Settings

log = structlog.get_logger(__name__)

# A start takes a second or two, on a busy host a few more. A front that is not replaced stops all the same.
REPLACEMENT_TIMEOUT_S: Final = 15.0


class SocketHandover:
    """One front after another at the same port; without a supervisor, one front alone."""

    def __init__(
        self,
        listening: socket.socket | None,
        channel: socket.socket | None,
        companions: Sequence[socket.socket] = (),
    ) -> None:
        """Use the socket to listen on, those of the other family beside it, and the channel."""
        self._listening = listening
        self._companions = companions
        self._channel = channel
        if channel is not None:
            channel.setblocking(False)

    @classmethod
    def inherited(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Return what this process was started with."""
        numbers = [environ.get(CHANNEL_VARIABLE, ""), *environ.get(SOCKET_VARIABLE, "").split(",")]
        if not all(number.isdecimal() for number in numbers):
            return cls(None, None)
        channel, listening, *companions = (socket.socket(fileno=int(number)) for number in numbers)
        return cls(listening, channel, companions)

    def sockets(self, settings: Settings) -> Sequence[socket.socket]:
        """Return where the front listens: at the sockets that were handed to it, else at its own port.

        Raises:
            OSError: the port is taken.
        """
        if self._listening is not None:
            return (self._listening, *self._companions)
        return bind_sockets(settings.front_host, settings.front_port)

    def notify_serving(self) -> None:
        """Notify the supervisor that devices are admitted: the front before this one may stop."""
        self._notify(SAYS_SERVING)

    async def wait_until_replaced(self) -> None:
        """Notify the supervisor that this front is to stop; return when another one serves, or none will."""
        if self._channel is None:
            return
        self._notify(SAYS_LEAVING)
        try:
            async with asyncio.timeout(REPLACEMENT_TIMEOUT_S):
                # Also at the end of the supervisor, which closes its end.
                await asyncio.get_running_loop().sock_recv(self._channel, 1)
        except TimeoutError:
            log.warning("no front followed this one", waited_s=REPLACEMENT_TIMEOUT_S)
        except OSError as error:
            log.warning("supervisor unreachable", reason=str(error))

    def close(self) -> None:
        """Close the channel; the socket is closed by the site."""
        if self._channel is not None:
            self._channel.close()

    def _notify(self, what: bytes) -> None:
        if self._channel is not None:
            with suppress(OSError):
                self._channel.send(what)
