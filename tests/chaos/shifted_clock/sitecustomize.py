"""Wall clock of a Python process with this folder in PYTHONPATH: the true one, and a shift from a file.

libfaketime, which would shift the broker's clock as well, breaks subprocesses of Python (EINVAL of every
other one, 0.9.10); so the clocks of the processes jump against that of Redis, as on a host without NTP.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from pathlib import Path

SHIFT = struct.Struct("d")


def shift_clock(path: Path) -> None:
    """Let `time.time` follow a file with seconds in it, which may change at any moment."""
    with path.open("rb") as file:
        shift = mmap.mmap(file.fileno(), SHIFT.size, access=mmap.ACCESS_READ)
    true_s, true_ns = time.time, time.time_ns
    time.time = lambda: true_s() + SHIFT.unpack_from(shift)[0]
    time.time_ns = lambda: true_ns() + int(SHIFT.unpack_from(shift)[0] * 1e9)


if "SHIFTED_CLOCK_FILE" in os.environ:
    shift_clock(Path(os.environ["SHIFTED_CLOCK_FILE"]))
