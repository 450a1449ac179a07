"""Checks before the first step: the machine, the files, a backup."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Final

from dispatcher.ops.backup.own_files import SECRETS
from dispatcher.ops.checks.deployment_snapshot import Snapshot
from dispatcher.ops.checks.finding import Finding, judged, not_applicable

LEAST_CORES: Final = 2
# What the figure `devices` (50 in a turn) is planned for.
PLANNED_CORES: Final = 4
# A machine of 8 GB shows a little less: the kernel keeps some for itself.
MEMORY_BYTES: Final = 7_500_000_000
DISK_BYTES: Final = 2_000_000_000
BACKUP_DAYS: Final = 7


def hardware(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that the host is as large as the limits are planned for."""
    host = snapshot.host
    small = (
        ""
        if host.cores >= PLANNED_CORES
        else ": a small box, `dispatcher bench devices` tells what it serves"
    )
    yield judged(
        "cores",
        good=host.cores >= LEAST_CORES,
        saw=f"{host.cores:g}{small}",
        expected=f"{LEAST_CORES} or more; {PLANNED_CORES} for the 50 devices of the plan",
    )
    yield judged(
        "memory",
        good=host.memory_bytes >= MEMORY_BYTES,
        saw=f"{host.memory_bytes / 1e9:.1f} GB",
        expected="8 GB or more",
    )
    yield judged(
        "disk",
        good=host.disk_free_bytes >= DISK_BYTES,
        saw=f"{host.disk_free_bytes / 1e9:.1f} GB free",
        expected="2 GB free for records, logs and the broker's file",
    )


def yaml(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that the YAML can be read."""
    path = snapshot.scope.settings.dispatcher_config
    yield judged(
        "YAML is valid",
        good=snapshot.file is not None,
        saw=snapshot.file_problem or str(path),
        expected="no problem in the file of DISPATCHER_CONFIG",
    )


def secrets(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that keys are readable by their owner alone."""
    folder = snapshot.scope.settings.data_dir
    modes = {name: (folder / name).stat().st_mode for name in SECRETS if (folder / name).exists()}
    if not modes:
        yield not_applicable("secrets", f"none in {folder} yet", "0600 for each")
        return
    yield judged(
        "secrets",
        good=all(stat.S_IMODE(mode) & 0o077 == 0 for mode in modes.values()),
        saw=", ".join(f"{name} {stat.S_IMODE(mode):04o}" for name, mode in modes.items()),
        expected="0600 for each",
    )


def backup(snapshot: Snapshot) -> Iterator[Finding]:
    """Check that a recent backup exists, where there is something to lose."""
    expected = f"one of the last {BACKUP_DAYS} days: `dispatcher backup FILE`"
    note = snapshot.backup
    if note is None and not snapshot.records.turns:
        yield not_applicable("backup", "none yet, and nothing to lose", expected)
        return
    yield judged(
        "backup",
        good=note is not None and note.exists and note.age_s() <= BACKUP_DAYS * 86_400,
        saw="none yet" if note is None else note.in_words(),
        expected=expected,
    )
