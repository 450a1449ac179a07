"""One started process: its output, its end, and signals to all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from dispatcher.supervisor.handover_channel import HandoverChannel
from dispatcher.supervisor.process_spec import ProcessSpec, Role

LONGEST_LINE_BYTES: Final = 16_384
_PR_SET_PDEATHSIG: Final = 1
# Loaded before the fork: the child of a fork must not load libraries.
_LIBC: Any = ctypes.CDLL(None) if sys.platform == "linux" else None


class Process:
    """A running process that leads a group of its own.

    Outside of the terminal's group it gets no SIGINT of the operator's Ctrl-C; the supervisor does, and
    decides what stops when. On Linux it dies with the supervisor, even by kill -9.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, spec: ProcessSpec, channel: HandoverChannel | None
    ) -> None:
        self._process = process
        self._spec = spec
        self._channel = channel

    @classmethod
    async def start(
        cls, spec: ProcessSpec, environment: Mapping[str, str], *, channel: HandoverChannel | None = None
    ) -> Self:
        """Return the started process; the caller reads its output and waits for its end.

        Args:
            spec: the process to run.
            environment: its variables, but for those that its line sets.
            channel: to a front that is handed its socket.

        Raises:
            OSError: the program is missing or may not be run.
        """
        process = await asyncio.create_subprocess_exec(
            *spec.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**environment, **spec.assignments, **(channel.variables if channel else {})},
            pass_fds=channel.handed if channel else (),
            start_new_session=True,
            preexec_fn=_dying_with(os.getpid()),
        )
        if channel is not None:
            channel.open()
        return cls(process, spec, channel)

    @property
    def pid(self) -> int:
        """Process id, and id of the group."""
        return self._process.pid

    async def read_output(self, on_line: Callable[[str], None]) -> None:
        """Hand on each line of output until the end; a line without an end is cut at 16 KB."""
        stream = self._process.stdout
        pending = b""
        while stream is not None and (chunk := await stream.read(65_536)):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                on_line(line.decode("utf-8", "replace").rstrip())
            if len(pending) > LONGEST_LINE_BYTES:
                on_line(pending.decode("utf-8", "replace"))
                pending = b""
        if pending:
            on_line(pending.decode("utf-8", "replace").rstrip())

    async def wait(self) -> int:
        """Return the exit code (negative: the signal); nothing of the group is left then."""
        code = await self._process.wait()
        self.kill()
        if self._channel is not None:
            self._channel.close()
        return code

    async def wait_until_serving(self) -> None:
        """Return when it has sent that it serves; at once for one without a channel."""
        if self._channel is not None:
            await self._channel.serving.wait()

    async def wait_for_exit_or_leaving(self) -> bool:
        """Return True when it makes way for a successor and lives on, False when it has ended."""
        ended = asyncio.ensure_future(self._process.wait())
        ways: list[asyncio.Future[Any]] = [ended]
        if self._channel is not None:
            ways.append(asyncio.ensure_future(self._channel.leaving.wait()))
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return not ended.done()
        finally:
            for way in ways:
                way.cancel()

    def release(self) -> None:
        """Let a leaving process go: it need not wait for a successor any longer."""
        if self._channel is not None:
            self._channel.release()

    def terminate(self) -> None:
        """Ask it to finish what it does and end."""
        with contextlib.suppress(ProcessLookupError):
            # A shell does not pass signals on; any other leader handles its own children.
            (os.killpg if self._spec.in_shell else os.kill)(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End whatever is left of the group, now."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def watch_ends_by_pidfd() -> None:
    """Have ends of processes seen without a thread for each, as Python 3.12 and later do by themselves."""
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):  # a container may forbid it
            os.close(os.pidfd_open(os.getpid()))
            asyncio.set_child_watcher(asyncio.PidfdChildWatcher())


def describe_exit(code: int) -> str:
    """Return an exit code as an operator reads it."""
    if code >= 0:
        return f"exited with code {code}"
    names = {signal.SIGKILL: "killed", signal.SIGTERM: "terminated", signal.SIGSEGV: "crashed"}
    try:
        number = signal.Signals(-code)
    except ValueError:
        return f"exited with code {code}"
    return f"exited with code {code} ({names.get(number, number.name)})"


def was_stopped(code: int | None, role: Role) -> bool:
    """Return whether an exit code is that of a process that was sent SIGTERM.

    Ours end with 0 then, and of themselves never; of a program that is not ours 0 says nothing.
    """
    return code == -signal.SIGTERM or code == 128 + signal.SIGTERM or (code == 0 and role != "other")


def _dying_with(supervisor: int) -> Callable[[], None] | None:
    if _LIBC is None:
        return None

    def set_death_signal() -> None:
        """Run in the child between fork and exec; the setting survives exec."""
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:  # the supervisor died before the setting held
            os._exit(1)

    return set_death_signal
