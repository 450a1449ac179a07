"""What a process and the supervisor say to each other beside signals and output."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from dispatcher.messages import CHANNEL_VARIABLE, MAY_GO, SAYS_LEAVING, SAYS_SERVING, SOCKET_VARIABLE


class Channel:
    """What a process and its supervisor say to each other: serving, leaving, you may go.

    Attributes:
        serves: it accepts connections.
        leaves: it is to stop, and waits for word that it was followed.
    """

    def __init__(self, *places: socket.socket) -> None:
        """Make both ends; the other one is for the process that is about to be started.

        Args:
            places: the sockets that it is to listen on, one for each family of addresses.
        """
        self.serves = asyncio.Event()
        self.leaves = asyncio.Event()
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.handed = (*(place.fileno() for place in places), self._theirs.fileno())
        self.variables = {
            SOCKET_VARIABLE: ",".join(map(str, self.handed[:-1])),
            CHANNEL_VARIABLE: str(self.handed[-1]),
        }

    def open(self) -> None:
        """Listen to the process, which has been started with the other end."""
        self._theirs.close()
        asyncio.get_running_loop().add_reader(self._ours, self._hear)

    def let_go(self) -> None:
        """Tell the process that it was followed, or that nobody will follow it."""
        with suppress(OSError):
            self._ours.send(MAY_GO)

    def close(self) -> None:
        """Close both ends."""
        if self._ours.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._ours)
        self._ours.close()
        self._theirs.close()

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            try:
                said = self._ours.recv(64)
            except ConnectionError:
                said = b""
            if not said:
                self.close()
            if SAYS_SERVING in said:
                self.serves.set()
            if SAYS_LEAVING in said:
                self.leaves.set()
