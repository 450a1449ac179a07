"""Rolling restart: processes restarted one after the other, each when the one before is ready again.

`dispatcher restart` writes its request as a file in the data folder and sends SIGUSR1; the supervisor writes
its progress in a file beside. Both need no Redis, and only who may write to the folder can ask.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

from dispatcher.errors import StartError
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import Role
from dispatcher.supervisor.runner_group import RunnerGroup

REQUEST_FILE: Final = "restart.json"
PROGRESS_FILE: Final = "restarted.json"
# The receiver of messages goes before their sender: a new front may send more than an old worker knows.
ORDER: Final[tuple[Role, ...]] = ("worker", "beat", "front", "console")
READY_TIMEOUT_S: Final = 120.0
PROGRESS_POLL_INTERVAL_S: Final = 0.1
# Of the supervisor; it gives each process two minutes.
PROGRESS_TIMEOUT_S: Final = 180.0

StepState = Literal["waiting", "restarting", "ready", "failed", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartRequest:
    """A request of an operator; without names it is for all fronts and workers, beat and the console."""

    names: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartStep:
    """Restart of one process.

    Attributes:
        state: `left` where a process before it failed.
        took_s: from the signal until it was ready again.
    """

    name: str
    state: StepState = "waiting"
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartProgress:
    """The steps so far; `id` is that of the request."""

    id: str
    steps: tuple[RestartStep, ...]
    is_over: bool = False


_REQUEST: Final = TypeAdapter(RestartRequest)
_PROGRESS: Final = TypeAdapter(RestartProgress)


def request_restart(data_dir: Path, pid: int, request: RestartRequest) -> Iterator[RestartStep]:
    """Ask the supervisor of that process id, and yield each step when it is done.

    Raises:
        StartError: the data folder cannot be written to, or the supervisor writes no progress.
    """
    try:
        _write(data_dir / REQUEST_FILE, asdict(request))
    except OSError as error:
        raise StartError(f"{data_dir} cannot be written to: {error.strerror or error}") from error
    os.kill(pid, signal.SIGUSR1)
    done: set[str] = set()
    give_up_at_s = time.monotonic() + PROGRESS_TIMEOUT_S
    while time.monotonic() < give_up_at_s:
        progress = _read_progress(data_dir, request.id)
        for step in progress.steps if progress else ():
            if step.state in {"ready", "failed", "left"} and step.name not in done:
                done.add(step.name)
                give_up_at_s = time.monotonic() + PROGRESS_TIMEOUT_S
                yield step
        if progress and progress.is_over:
            return
        time.sleep(PROGRESS_POLL_INTERVAL_S)
    raise StartError(
        f"`dispatcher up` (pid {pid}) said nothing of the restart for {PROGRESS_TIMEOUT_S:.0f} s"
    )


class RollingRestart:
    """Carries out the requests, one at a time."""

    def __init__(self, data_dir: Path, group: RunnerGroup, say: Callable[[str], None]) -> None:
        """Restart processes of the group; each gets its grace to end what it does."""
        self._data_dir = data_dir
        self._group = group
        self._say = say
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Read the request; called for SIGUSR1."""
        self._woken.set()

    async def follow(self) -> None:
        """Carry out every request that comes, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                request = _REQUEST.validate_json((self._data_dir / REQUEST_FILE).read_bytes())
            except (OSError, ValidationError):
                self._say("SIGUSR1 came without a wish of `dispatcher restart`; nothing is done")
                continue
            await self._carry_out(request)

    async def _carry_out(self, request: RestartRequest) -> None:
        chosen = choose(self._group.runners, request.names)
        self._say(f"restarting one by one: {', '.join(runner.spec.name for runner in chosen)}")
        progress = RestartProgress(
            id=request.id, steps=tuple(RestartStep(name=runner.spec.name) for runner in chosen)
        )
        for index, runner in enumerate(chosen):
            progress = self._record(progress, index, RestartStep(name=runner.spec.name, state="restarting"))
            step = await self._restart(runner)
            progress = self._record(progress, index, step)
            if step.state == "failed":
                self._say(f"{step.name} did not come back; what is left of the restart stays as it is")
                steps = (_left(each) for each in progress.steps)
                progress = replace(progress, steps=tuple(steps))
                break
        self._write(replace(progress, is_over=True))

    async def _restart(self, runner: ProcessRunner) -> RestartStep:
        began_at_s = time.monotonic()
        try:
            async with asyncio.timeout(self._group.grace_s + READY_TIMEOUT_S):
                is_back = await runner.restart(self._group.grace_s)
        except TimeoutError:
            is_back = False
        took_s = round(time.monotonic() - began_at_s, 2)
        return RestartStep(name=runner.spec.name, state="ready" if is_back else "failed", took_s=took_s)

    def _record(self, progress: RestartProgress, index: int, step: RestartStep) -> RestartProgress:
        steps = (*progress.steps[:index], step, *progress.steps[index + 1 :])
        progress = replace(progress, steps=steps)
        self._write(progress)
        return progress

    def _write(self, progress: RestartProgress) -> None:
        with suppress(OSError):  # the restart itself goes on, and the terminal shows how it went
            _write(self._data_dir / PROGRESS_FILE, asdict(progress))


def choose(runners: Iterable[ProcessRunner], names: Sequence[str]) -> list[ProcessRunner]:
    """Return the runners of these names in the order given; without names, those of ORDER."""
    known = {runner.spec.name: runner for runner in runners}
    if names:
        return [known[name] for name in names if name in known]
    return [runner for role in ORDER for runner in known.values() if runner.spec.role == role]


def _read_progress(data_dir: Path, request_id: str) -> RestartProgress | None:
    """Return the progress of a request; None before its first step."""
    try:
        progress = _PROGRESS.validate_json((data_dir / PROGRESS_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return progress if progress.id == request_id else None


def _left(step: RestartStep) -> RestartStep:
    return replace(step, state="left") if step.state == "waiting" else step


def _write(path: Path, content: object) -> None:
    """Write a file whole: a reader sees the old text or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(content) + "\n", "utf-8")
    fresh.replace(path)
