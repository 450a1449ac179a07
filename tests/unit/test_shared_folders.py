"""Folders as scopes of the tests: what a folder shares starts once, in one process, and ends with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.folders import unit_of
from tests.support.processes import ROOT, own_environment

CONFTEST = """
import pytest
from tests.support.folders import Folder

def pytest_collect_directory(path, parent):
    return Folder.from_parent(parent, path=path)
"""
SHARED = """
import pytest

@pytest.fixture(scope="package")
def shared():
    print("starts")
    yield
    print("ends")
"""


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/integration/people/test_traces.py::test_one[a::b]", "tests/integration/people"),
        ("tests/integration/front/test_turns.py::test_one", "tests/integration/front/test_turns.py"),
        ("tests/unit/test_errors.py::TestTree::test_one", "tests/unit/test_errors.py::TestTree"),
    ],
)
def test_a_folder_that_shares_a_stack_goes_to_one_process_and_others_by_module(
    nodeid: str, unit: str
) -> None:
    assert unit_of(nodeid) == unit


def test_what_a_folder_shares_starts_once_and_ends_before_the_next_folder(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            test = f"def test_one({'shared' if folder == 'first' else ''}): print('{folder} {name}')\n"
            (tmp_path / folder / f"test_{name}.py").write_text(test)
    (tmp_path / "first" / "conftest.py").write_text(SHARED)
    command = [sys.executable, "-m", "pytest", "-sq", "--import-mode=importlib", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        env=own_environment({"PYTHONPATH": str(ROOT)}),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = [line.lstrip(".") for line in done.stdout.splitlines()]
    assert printed[:6] == ["starts", "first a", "first b", "ends", "second a", "second b"], done.stdout
