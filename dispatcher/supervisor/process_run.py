"""One run of a process: from its start to its exit, or to the moment in which it makes way for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dispatcher.supervisor.draining_processes import LAST_OUTPUT_TIMEOUT_S, DrainingProcesses
from dispatcher.supervisor.process import Process, was_stopped
from dispatcher.supervisor.process_spec import ProcessSpec
from dispatcher.supervisor.readiness import Readiness
from dispatcher.supervisor.restart_policy import RunOutcome


class ProcessRun:
    """A started process that is watched until nothing is left to wait for."""

    def __init__(
        self,
        process: Process,
        spec: ProcessSpec,
        *,
        readiness: Readiness,
        draining: DrainingProcesses,
    ) -> None:
        """Watch the process; it joins the draining ones where it makes way for the next run."""
        self._process = process
        self._spec = spec
        self._readiness = readiness
        self._draining = draining

    async def watch(
        self, on_line: Callable[[str], None], on_ready: Callable[[], None], is_stopping: Callable[[], bool]
    ) -> RunOutcome:
        """Return how the run went.

        Args:
            on_line: takes each line that the process prints.
            on_ready: called once it is ready.
            is_stopping: whether nothing follows this run, so that it need not make way.
        """
        loop = asyncio.get_running_loop()
        began_at_s = loop.time()
        output = loop.create_task(self._process.read_output(on_line))
        makes_way, ready_s = await self._follow(output, on_ready)
        if makes_way and not is_stopping():
            self._draining.add(self._process, output)
            return RunOutcome(lasted_s=loop.time() - began_at_s, ready_s=ready_s, makes_way=True)
        self._process.release()
        code = await self._process.wait()
        await asyncio.wait([output], timeout=LAST_OUTPUT_TIMEOUT_S)
        output.cancel()
        return RunOutcome(
            code=code,
            lasted_s=loop.time() - began_at_s,
            ready_s=ready_s,
            is_stopped=was_stopped(code, self._spec.role),
        )

    async def _follow(
        self, output: asyncio.Task[None], on_ready: Callable[[], None]
    ) -> tuple[bool, float | None]:
        """Return whether the process makes way, else it ended, and how long it was ready; None if never."""
        async with asyncio.TaskGroup() as group:
            ready = group.create_task(self._become_ready(on_ready))
            reading = group.create_task(_shielded(output))
            makes_way = await self._process.wait_for_exit_or_leaving()
            ready.cancel()
            reading.cancel()
        now_s = asyncio.get_running_loop().time()
        return makes_way, None if ready.cancelled() else now_s - ready.result()

    async def _become_ready(self, on_ready: Callable[[], None]) -> float:
        """Return the time at which the process became ready; from then on those before it may go."""
        if self._draining:  # one of them may answer in its stead
            await self._process.wait_until_serving()
        await self._readiness.wait(self._spec, self._process.pid)
        self._draining.release()
        on_ready()
        return asyncio.get_running_loop().time()


async def _shielded(output: asyncio.Task[None]) -> None:
    """Raise what goes wrong with the output, which outlives the task that waits for it here."""
    await asyncio.shield(output)
