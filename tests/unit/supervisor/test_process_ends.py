"""Ends of processes are seen without a thread for each."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, threading
from dispatcher.supervisor.process import watch_ends_by_pidfd
async def main():
    process = await asyncio.create_subprocess_exec("sleep", "0.2")
    threads = threading.active_count()
    print(threads, await process.wait())
watch_ends_by_pidfd()
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pidfd is of Linux")
def test_a_running_process_takes_no_thread() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert found.stdout.split() == ["1", "0"]
