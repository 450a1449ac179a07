"""Which disk is made read-only: one of its own, in mounts that the host does not see."""

from __future__ import annotations

from pathlib import Path

import pytest

from dispatcher.ops.chaos import read_only_disk
from dispatcher.ops.chaos.read_only_disk import require_own_mount
from dispatcher.ops.fault_switch import FaultUnavailable


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
