"""Where a stack stands that may be hurt: which parts are its own, how they are reached and get signals."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Protocol

from dispatcher.errors import StartError
from dispatcher.supervisor.chaos_marker import MarkedProcess


class NotHere(StartError):
    """A fault cannot be tried on this stack; the message says why. The others are."""


class Ground(Protocol):
    """One way in which a stack is kept running: who kills a part here sees it come back."""

    async def parts(self) -> tuple[MarkedProcess, ...]:
        """Return the parts that allow to be hurt, as they are now.

        Raises:
            StartError: there is none, or nobody says so any more; the text says how to allow it.
        """
        ...

    async def send(self, part: MarkedProcess, how: signal.Signals) -> None:
        """Send a signal to the process of a part, after a last look whether it is still its own.

        Raises:
            NotHere: it is not, or may not be reached.
        """
        ...

    def part_at(self, parts: Sequence[MarkedProcess], hostname: str, port: int) -> MarkedProcess | None:
        """Return the part that serves at an instance's address, with host and port to reach it from here."""
        ...

    def doors(self, parts: Sequence[MarkedProcess]) -> tuple[str, ...]:
        """Return where devices are taken, as `http://HOST:PORT`; nothing where no part takes them."""
        ...


def running(parts: Sequence[MarkedProcess], role: str) -> tuple[MarkedProcess, ...]:
    """Return the parts of a role that run now."""
    return tuple(part for part in parts if part.role == role and part.pid is not None)
