"""Fault `read-only`: nothing more is opened for writing in DATA_DIR, in a mount namespace of its own.

A mount on which files are open for writing does not become read-only, and those of the broker always are:
the folder is mounted over itself, read-only. What is open already goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.settings import load_settings

MOUNTS_OF_THE_HOST: Final = Path("/proc/1/mounts")


@asynccontextmanager
async def read_only_disk() -> AsyncGenerator[str]:
    """Mount DATA_DIR over itself, read-only, and take that away at the end.

    Raises:
        FaultUnavailable: DATA_DIR is no disk of its own, or this program shares its mounts with the host.
    """
    data_dir = load_settings().data_dir.absolute()
    require_own_mount(data_dir)
    await _run("mount", "--bind", str(data_dir), str(data_dir))
    try:
        await _run("mount", "-o", "remount,bind,ro", str(data_dir))
        yield f"the disk of {data_dir} is read-only"
    finally:
        # Lazily: files that were opened meanwhile, to be read, stay open.
        await asyncio.shield(_run("umount", "--lazy", str(data_dir)))


def require_own_mount(data_dir: Path) -> None:
    """Do nothing where the disk may be remounted.

    Raises:
        FaultUnavailable: it may not; the text says what to do.
    """
    if not data_dir.is_mount():
        raise FaultUnavailable(f"{data_dir} is no disk of its own; `make chaos` starts a stack on a tmpfs")
    seen = (line.split() for line in MOUNTS_OF_THE_HOST.read_text().splitlines())
    if any(words[1] == str(data_dir) for words in seen):
        raise FaultUnavailable("mounts are changed only where the host does not see them: unshare --mount")


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    if process.returncode:
        raise FaultUnavailable(f"{' '.join(command)}: {said.decode(errors='replace').strip()}")
