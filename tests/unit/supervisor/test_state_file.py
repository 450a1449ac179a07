"""The claim on a data folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dispatcher.errors import StartError
from dispatcher.supervisor.state_file import RunningProcess, StateFile, find_up


def test_up_json_says_what_runs_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "var" / "up.json"
    with StateFile(path.parent) as upfile:
        upfile.write([RunningProcess(name="front", pid=12, port=8000)])
        content = json.loads(path.read_text())
    assert content["pid"] == os.getpid()
    assert content["processes"] == [{"name": "front", "pid": 12, "port": 8000}]
    assert list(path.parent.iterdir()) == []


def test_a_second_one_on_the_same_folder_is_refused_by_name(tmp_path: Path) -> None:
    with StateFile(tmp_path) as upfile:
        upfile.write([])
        with (
            pytest.raises(StartError, match=rf"already runs on .* \(pid {os.getpid()}\)"),
            StateFile(tmp_path),
        ):
            pass


def test_a_file_left_by_a_killed_one_does_not_bar_the_next(tmp_path: Path) -> None:
    (tmp_path / "up.json").write_text('{"pid": 1}')
    with StateFile(tmp_path) as upfile:
        upfile.write([])
        assert json.loads((tmp_path / "up.json").read_text())["pid"] == os.getpid()


def test_a_folder_that_cannot_be_made_is_a_start_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="DATA_DIR"), StateFile(tmp_path / "file"):
        pass


def test_the_one_that_runs_is_found_with_its_parts(tmp_path: Path) -> None:
    with StateFile(tmp_path) as upfile:
        upfile.write([RunningProcess(name="front", pid=12, port=8000)])
        found = find_up(tmp_path)
        assert found is not None
        assert (found.pid, found.names) == (os.getpid(), ("front",))
    assert find_up(tmp_path) is None


def test_a_file_whose_process_began_after_it_was_written_names_nobody(tmp_path: Path) -> None:
    content = {"pid": os.getpid(), "started_at_s": 1.0, "processes": []}
    (tmp_path / "up.json").write_text(json.dumps(content))
    assert find_up(tmp_path) is None
