"""How full a disk is, and whether it can be written to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dispatcher.host_metrics.disk import FULL, READ_ONLY, sample_disk


def state(**changed: int) -> os.statvfs_result:
    """Return what the system says of a disk of 1 000 blocks, half of them free, but for what is changed."""
    of = {
        "bsize": 4096,
        "frsize": 4096,
        "blocks": 1000,
        "bfree": 500,
        "bavail": 450,
        "files": 100,
        "ffree": 50,
    }
    of |= {"favail": 50, "flag": 0, "namemax": 255, **changed}
    return os.statvfs_result(tuple(of.values()))


@pytest.mark.parametrize(
    ("said", "trouble"),
    [
        (state(), ""),
        (state(bfree=0, bavail=0), FULL),
        (state(bfree=200, bavail=200), FULL),
        (state(ffree=0, favail=0), FULL),
        (state(files=0, ffree=0), ""),
        (state(flag=os.ST_RDONLY), READ_ONLY),
    ],
)
def test_a_disk_says_why_nothing_can_be_written(
    said: os.statvfs_result, trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: said)
    sample = sample_disk(tmp_path / "not" / "made" / "yet")
    assert sample is not None
    assert sample.trouble == trouble
    assert (sample.used_ratio == 1.0) == bool(trouble)


def test_what_is_used_is_of_what_this_account_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: state())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    sample = sample_disk(tmp_path)
    assert sample is not None
    assert sample.used_ratio == pytest.approx(500 / 950)
