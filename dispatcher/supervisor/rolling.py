"""Restarting parts one after the other, each only when the one before is ready again.

`dispatcher restart` leaves its wish as a file in the data folder and sends SIGUSR1; how far the supervisor is
with it stands in a file beside. Both need no Redis, and only who may write to the folder can ask.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

from pydantic import TypeAdapter, ValidationError

from dispatcher.errors import StartError
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import Role

WISH_FILE: Final = "restart.json"
PROGRESS_FILE: Final = "restarted.json"
# Who takes what was sent goes before who sends it: a new front may say more than an old worker knows.
ORDER: Final[tuple[Role, ...]] = ("worker", "beat", "front")
READY_PATIENCE_S: Final = 120.0

StepState = Literal["waiting", "restarting", "ready", "failed", "left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an operator wants restarted; no names are all fronts and workers, and beat."""

    id: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One part of it.

    Attributes:
        state: `left` where a part before it failed.
        took_s: from the signal until it was ready again.
    """

    name: str
    state: StepState = "waiting"
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is; `id` is that of the wish."""

    id: str
    steps: tuple[Step, ...]
    is_over: bool = False


_WISH: Final = TypeAdapter(Wish)
_PROGRESS: Final = TypeAdapter(Progress)


def leave_wish(data_dir: Path, wish: Wish) -> None:
    """Write what is wanted; the supervisor reads it when it gets SIGUSR1.

    Raises:
        StartError: the data folder cannot be written to.
    """
    try:
        _write(data_dir / WISH_FILE, asdict(wish))
    except OSError as error:
        raise StartError(f"{data_dir} cannot be written to: {error.strerror or error}") from error


def read_progress(data_dir: Path, wish_id: str) -> Progress | None:
    """Return how far the supervisor is with a wish; None while it says nothing of it."""
    try:
        progress = _PROGRESS.validate_json((data_dir / PROGRESS_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return progress if progress.id == wish_id else None


class Rolling:
    """Carries out the wishes, one at a time."""

    def __init__(self, data_dir: Path, keepers: Sequence[ProcessRunner], *, grace_s: float) -> None:
        """Restart these, which may become more and fewer; each gets the grace to end what it does."""
        self._data_dir = data_dir
        self._keepers = keepers
        self._grace_s = grace_s
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Look for a wish; called for SIGUSR1."""
        self._asked.set()

    async def follow(self, say: Callable[[str], None]) -> None:
        """Carry out every wish that comes, for ever."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                wish = _WISH.validate_json((self._data_dir / WISH_FILE).read_bytes())
            except (OSError, ValidationError):
                say("SIGUSR1 came without a wish of `dispatcher restart`; nothing is done")
                continue
            await self._carry_out(wish, say)

    async def _carry_out(self, wish: Wish, say: Callable[[str], None]) -> None:
        chosen = choose(self._keepers, wish.names)
        say(f"restarting one by one: {', '.join(keeper.part.name for keeper in chosen)}")
        steps = {keeper.part.name: Step(name=keeper.part.name) for keeper in chosen}
        for keeper in chosen:
            name = keeper.part.name
            self._tell(wish, steps, replace(steps[name], state="restarting"))
            step = await self._restart(keeper)
            self._tell(wish, steps, step)
            if step.state == "failed":
                say(f"{name} did not come back; what is left of the restart stays as it is")
                steps = {each: _left(step) for each, step in steps.items()}
                break
        self._write(Progress(id=wish.id, steps=tuple(steps.values()), is_over=True))

    async def _restart(self, keeper: ProcessRunner) -> Step:
        clock = asyncio.get_running_loop().time
        began_at = clock()
        try:
            async with asyncio.timeout(self._grace_s + READY_PATIENCE_S):
                is_back = await keeper.restart(self._grace_s)
        except TimeoutError:
            is_back = False
        return Step(
            name=keeper.part.name,
            state="ready" if is_back else "failed",
            took_s=round(clock() - began_at, 2),
        )

    def _tell(self, wish: Wish, steps: dict[str, Step], step: Step) -> None:
        steps[step.name] = step
        self._write(Progress(id=wish.id, steps=tuple(steps.values())))

    def _write(self, progress: Progress) -> None:
        with suppress(OSError):  # the restart itself goes on; the screen says how it went
            _write(self._data_dir / PROGRESS_FILE, asdict(progress))


def choose(keepers: Iterable[ProcessRunner], names: Sequence[str]) -> list[ProcessRunner]:
    """Return the parts of these names in the order given; without names, workers, beat and fronts."""
    known = {keeper.part.name: keeper for keeper in keepers}
    if names:
        return [known[name] for name in names if name in known]
    return [keeper for role in ORDER for keeper in known.values() if keeper.part.role == role]


def _left(step: Step) -> Step:
    return replace(step, state="left") if step.state == "waiting" else step


def _write(path: Path, content: object) -> None:
    """Write a file whole: a reader sees the old text or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(content) + "\n", "utf-8")
    fresh.replace(path)
