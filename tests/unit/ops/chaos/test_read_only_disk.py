"""Which disk is made read-only: one of its own, in mounts that the host does not see."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dispatcher.ops.chaos import read_only_disk
from dispatcher.ops.chaos.read_only_disk import require_own_mount
from dispatcher.ops.fault_switch import FaultUnavailable
from tests.support.broker import give_up
from tests.support.processes import ROOT

# A program of its own, in mounts of its own: a file is open for writing there all the time, as the broker's.
TRIAL = """
import asyncio, os, subprocess, sys
from pathlib import Path
from dispatcher.ops.chaos.read_only_disk import read_only_disk

disk = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(disk)], check=True)
os.environ["DATA_DIR"] = str(disk)

def is_writable(name):
    try:
        (disk / name).write_text("x")
    except OSError:
        return False
    return True

async def main():
    with (disk / "log").open("w") as log:
        for number in range(2):
            async with read_only_disk():
                assert not is_writable(f"{number}"), "opened for writing"
                log.write("goes on")
                log.flush()
                kept_open = (disk / "log").open()
            assert is_writable(f"{number}"), "still read-only"
            kept_open.close()
    assert (disk / "log").read_text() == "goes on" * 2

asyncio.run(main())
"""


def test_a_folder_on_another_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultUnavailable, match="is no disk of its own; `make chaos`"):
        require_own_mount(tmp_path)


def test_a_mount_that_the_host_sees_is_refused_and_one_that_it_does_not_see_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("proc /proc proc rw 0 0\n")
    monkeypatch.setattr(read_only_disk, "MOUNTS_OF_THE_HOST", mounts)
    with pytest.raises(FaultUnavailable, match="unshare --mount"):
        require_own_mount(Path("/proc"))
    mounts.write_text("tmpfs /tmp tmpfs rw 0 0\n")
    require_own_mount(Path("/proc"))


def test_nothing_is_opened_for_writing_until_it_ends_though_files_are_open(tmp_path: Path) -> None:
    if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        give_up("mounts of its own need root here")
    command = ["unshare", "--mount", sys.executable, "-c", TRIAL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
