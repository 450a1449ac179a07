"""A runner group whose processes are fake."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dispatcher.settings import Settings
from dispatcher.supervisor.process_runner import Listener, ProcessRunner
from dispatcher.supervisor.process_spec import ProcessSpec
from dispatcher.supervisor.runner_group import RunnerGroup
from tests.unit.supervisor.fake_process import FakeLauncher, FakeReadiness, Kept


class FakeGroup(RunnerGroup):
    """Keeps fake processes; those of the names in `never_ready` do not get ready.

    Attributes:
        kept: by name.
        events: of all.
    """

    def __init__(self, folder: Path, *, never_ready: tuple[str, ...] = ()) -> None:
        self.kept: dict[str, Kept] = {}
        self.events: list[str] = []
        self.never_ready = set(never_ready)
        self._folder = folder
        super().__init__(
            Settings(data_dir=folder, drain_s=10),
            {},
            readiness=FakeReadiness(),
            listener=Listener(
                on_change=lambda _: None,
                on_event=lambda spec, text, _level: self.events.append(f"{spec.name} {text}"),
                on_output=lambda _spec, _line, _level, _is_summary: None,
                on_turn=lambda _: None,
                on_end=lambda _: None,
            ),
        )

    def add(self, spec: ProcessSpec) -> ProcessRunner:
        kept = Kept(
            self._folder,
            FakeLauncher(),
            ready_after_s=None if spec.name in self.never_ready else 1.0,
            spec=spec,
        )
        self.kept[spec.name] = kept
        self.runners.append(kept.runner)
        return kept.runner

    async def start_all(self, group: asyncio.TaskGroup) -> bool:
        """Start all that were added."""
        return await self.start(group, [runner.spec for runner in self.runners], 60)
