"""Processes that made way for the next run, or will, and end what they began."""

from __future__ import annotations

import asyncio
from typing import Final

from dispatcher.supervisor.process import Process

# A grandchild that left the group may hold the pipe open; the rest of its output is not waited for.
LAST_OUTPUT_TIMEOUT_S: Final = 1.0


class DrainingProcesses:
    """The draining processes of one spec; each has a bounded time to end."""

    def __init__(self, *, timeout_s: float) -> None:
        """Kill a process that has not ended after so long."""
        self._timeout_s = timeout_s
        self._draining: dict[asyncio.Task[None], Process] = {}

    def __bool__(self) -> bool:
        """Return whether one is still running."""
        return bool(self._draining)

    def add(self, process: Process, output: asyncio.Task[None]) -> None:
        """Wait for the exit of a process beside its successor."""
        task = asyncio.get_running_loop().create_task(self._drain(process, output))
        self._draining[task] = process
        task.add_done_callback(self._draining.pop)

    def release(self) -> None:
        """Let all go that wait for a successor."""
        for process in self._draining.values():
            process.release()

    def kill(self) -> None:
        """End all, now."""
        for process in self._draining.values():
            process.kill()

    async def wait_for_exit(self) -> None:
        """Return when none is left."""
        if self._draining:
            await asyncio.wait(list(self._draining))

    async def _drain(self, process: Process, output: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(self._timeout_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.wait([output], timeout=LAST_OUTPUT_TIMEOUT_S)
        output.cancel()
