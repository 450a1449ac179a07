"""Standard output of a command whose reader may leave, as `head` does after its lines."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from typing import Any, Final, TextIO

READER_GONE_EXIT_CODE: Final = 128 + signal.SIGPIPE


class GuardedOutput(io.TextIOBase):
    """A stream that ends the command as Ctrl-C does when nobody reads it any more.

    An error from within a task of asyncio would leave a traceback behind, and SIGPIPE itself would end
    `dispatcher verify` before its fault is undone.

    Attributes:
        is_unread: the reader has gone.
        ends_command: its going ends the command; not the one of a supervisor, which others depend on.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to this stream."""
        self._stream = stream
        self.is_unread = False
        self.ends_command = True

    def write(self, text: str) -> int:
        """Write the text, or drop it where nobody reads."""
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """Flush the stream, or drop what it holds."""
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._give_up()

    def __getattr__(self, name: str) -> Any:
        """Return what else the stream has: its encoding, its descriptor, whether it is a terminal."""
        return getattr(self._stream, name)

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        """The encoding of the stream."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]  # a plain attribute there
        """How the stream treats what it cannot encode."""
        return self._stream.errors

    def _give_up(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)
        was_unread, self.is_unread = self.is_unread, True
        if not self.ends_command or was_unread:
            return
        if _is_in_main_thread() and not _is_in_event_loop():
            raise SystemExit(READER_GONE_EXIT_CODE)
        signal.raise_signal(signal.SIGINT)


def _is_in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_in_event_loop() -> bool:
    import asyncio  # noqa: PLC0415  the help starts without it

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def outlive_reader() -> None:
    """Let this command go on when nobody reads its output any more."""
    if isinstance(sys.stdout, GuardedOutput):
        sys.stdout.ends_command = False
