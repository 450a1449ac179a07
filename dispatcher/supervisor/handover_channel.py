"""Channel between the supervisor and a front that it hands a socket to: serving, leaving, may go."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from dispatcher.messages import CHANNEL_VARIABLE, MAY_GO, SAYS_LEAVING, SAYS_SERVING, SOCKET_VARIABLE


class HandoverChannel:
    """The supervisor's end of the channel.

    Attributes:
        serving: set once the front accepts connections.
        leaving: set once it is to stop, and waits for a successor.
        handed: descriptors that the process inherits.
        variables: the environment variables that name them.
    """

    def __init__(self, *sockets: socket.socket) -> None:
        """Make both ends; the other one is for the process that is about to be started.

        Args:
            sockets: those that it is to listen on, one for each family of addresses.
        """
        self.serving = asyncio.Event()
        self.leaving = asyncio.Event()
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.handed = (*(each.fileno() for each in sockets), self._theirs.fileno())
        self.variables = {
            SOCKET_VARIABLE: ",".join(map(str, self.handed[:-1])),
            CHANNEL_VARIABLE: str(self.handed[-1]),
        }

    def open(self) -> None:
        """Receive from the process, which has been started with the other end."""
        self._theirs.close()
        asyncio.get_running_loop().add_reader(self._ours, self._receive)

    def release(self) -> None:
        """Send the process that it need not wait for a successor any longer."""
        with suppress(OSError):
            self._ours.send(MAY_GO)

    def close(self) -> None:
        """Close both ends."""
        if self._ours.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._ours)
        self._ours.close()
        self._theirs.close()

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            try:
                received = self._ours.recv(64)
            except ConnectionError:
                received = b""
            if not received:
                self.close()
            if SAYS_SERVING in received:
                self.serving.set()
            if SAYS_LEAVING in received:
                self.leaving.set()
