"""Limits of the fault that fills a disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dispatcher.ops.chaos.full_disk import MOST_FREE_BYTES, full_disk, require_own_disk
from dispatcher.ops.fault_switch import FaultUnavailable


def test_the_systems_own_disk_is_never_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    free = MOST_FREE_BYTES // 4096 + 1
    state = os.statvfs_result((4096, 4096, 2 * free, free, free, 100, 50, 50, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: state)
    with pytest.raises(FaultUnavailable, match="a disk of its own"):
        require_own_disk(Path("/"))


async def test_a_data_folder_on_which_nothing_runs_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    with pytest.raises(FaultUnavailable, match="no `dispatcher up` runs"):
        async with full_disk():
            pass
    assert os.listdir(tmp_path) == []  # noqa: PTH208  pathlib's would wait, as ruff has it
