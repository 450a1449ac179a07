"""One process after the other, each when the one before is ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from dispatcher.supervisor.rolling_restart import (
    PROGRESS_FILE,
    REQUEST_FILE,
    RestartRequest,
    RollingRestart,
    choose,
)
from tests.support.virtual_time import run_in_virtual_time
from tests.unit.supervisor.fake_group import FakeGroup
from tests.unit.supervisor.fake_process import spec_named


def stack(folder: Path) -> FakeGroup:
    """Return a console, a front, two workers, beat and a broker, in the order of a Procfile."""
    found = FakeGroup(folder)
    for name, role in (
        ("broker", "broker"),
        ("console", "console"),
        ("front", "front"),
        ("asr", "worker"),
        ("llm", "worker"),
        ("beat", "beat"),
    ):
        found.add(spec_named(name, role))  # type: ignore[arg-type]  # a role each
    return found


@pytest.mark.parametrize(
    ("names", "chosen"),
    [((), ["asr", "llm", "beat", "front", "console"]), (("llm", "broker", "nobody"), ["llm", "broker"])],
)
def test_without_names_workers_go_before_beat_and_fronts(
    names: tuple[str, ...], chosen: list[str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        found = stack(tmp_path)
        assert [runner.spec.name for runner in choose(found.runners, names)] == chosen
        found.kill()
        await asyncio.gather(*(runner.run() for runner in found.runners))

    run_in_virtual_time(scenario())


def carried_out(folder: Path, *, fails: str = "") -> Iterator[Any]:
    """Yield the progress at the end of a restart, and what was said."""
    said: list[str] = []

    async def scenario() -> None:
        found = stack(folder)
        request = RestartRequest(names=("asr", "llm"))
        (folder / REQUEST_FILE).write_text(json.dumps(asdict(request)))
        async with asyncio.TaskGroup() as group:
            await found.start_all(group)
            if fails:
                found.kept[fails].readiness.after_s = None
            rolling = RollingRestart(folder, found, said.append)
            following = group.create_task(rolling.follow())
            rolling.wake()
            await asyncio.sleep(600)  # of virtual time
            following.cancel()
            await found.stop()

    run_in_virtual_time(scenario())
    yield _progress(folder)
    yield said


def _progress(folder: Path) -> Any:
    path = folder / PROGRESS_FILE
    return json.loads(path.read_text()) if path.exists() else {}


def test_each_step_is_recorded_with_its_time(tmp_path: Path) -> None:
    progress, said = carried_out(tmp_path)
    assert [(step["name"], step["state"]) for step in progress["steps"]] == [
        ("asr", "ready"),
        ("llm", "ready"),
    ]
    assert said == ["restarting one by one: asr, llm"]


def test_where_one_does_not_come_back_the_rest_is_left(tmp_path: Path) -> None:
    progress, said = carried_out(tmp_path, fails="asr")
    assert [step["state"] for step in progress["steps"]] == ["failed", "left"]
    assert said[-1] == "asr did not come back; what is left of the restart stays as it is"
