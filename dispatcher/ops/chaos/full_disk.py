"""Fault `disk`: the disk of DATA_DIR is filled up, where other programs do not need it."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Final

from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.settings import load_settings
from dispatcher.supervisor.state_file import find_up

# Other programs write to the system's own disk; with so little left on it they cope already.
MOST_FREE_BYTES: Final = 8 << 30
STEP_BYTES: Final = 1 << 30
LAST_STEP_BYTES: Final = 4096


@asynccontextmanager
async def full_disk() -> AsyncGenerator[str]:
    """Fill the disk of the `dispatcher up` that runs here; the space is given back at the end.

    Raises:
        FaultUnavailable: no `dispatcher up` runs on this DATA_DIR, or other programs need its disk.
    """
    data_dir = load_settings().data_dir
    if find_up(data_dir) is None:
        raise FaultUnavailable(f"no `dispatcher up` runs on {data_dir} of this host (DATA_DIR)")
    require_own_disk(data_dir)
    # The file has no name: however this program ends, the system gives the space back.
    with tempfile.TemporaryFile(dir=data_dir) as file:
        filled = await asyncio.to_thread(fill, file, data_dir)
        yield f"the disk of {data_dir} is full ({filled / 1e6:.0f} MB were free)"


def require_own_disk(data_dir: Path) -> None:
    """Do nothing where the disk may be filled.

    Raises:
        FaultUnavailable: it may not; the text says what to do.
    """
    state = os.statvfs(data_dir)
    free = state.f_bavail * state.f_frsize
    if data_dir.stat().st_dev == Path("/").stat().st_dev and free > MOST_FREE_BYTES:
        raise FaultUnavailable(
            f"{data_dir} is on the system's own disk, which is not filled up for a trial; "
            "set DATA_DIR to a disk of its own, for example a tmpfs of 64 MB"
        )


def fill(file: IO[bytes], data_dir: Path) -> int:
    """Let an open file take all the space that there is; return how much that is."""
    size = 0
    step = STEP_BYTES
    while step >= LAST_STEP_BYTES:
        try:
            os.posix_fallocate(file.fileno(), size, step)
            size += step
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise FaultUnavailable(
                    f"the disk of {data_dir} cannot be filled: {error.strerror}"
                ) from error
            step //= 2
    with suppress(OSError):
        os.pwrite(file.fileno(), bytes(LAST_STEP_BYTES), size)
    return size
