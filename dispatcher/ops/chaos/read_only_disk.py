"""Fault `read-only`: the disk of DATA_DIR takes no more writes, in a mount namespace of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.settings import load_settings

MOUNTS_OF_THE_HOST: Final = Path("/proc/1/mounts")
# Nothing becomes read-only while a file on it is open for writing, as those of the records are now and then.
BUSY_TIMEOUT_S: Final = 20.0
BUSY_POLL_S: Final = 0.05


@asynccontextmanager
async def read_only_disk() -> AsyncGenerator[str]:
    """Mount DATA_DIR read-only, and writable again at the end.

    Raises:
        FaultUnavailable: DATA_DIR is no disk of its own, or this program shares its mounts with the host.
    """
    data_dir = load_settings().data_dir.absolute()
    require_own_mount(data_dir)
    await _remount(data_dir, "ro")
    try:
        yield f"the disk of {data_dir} is read-only"
    finally:
        await asyncio.shield(_remount(data_dir, "rw"))


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


async def _remount(data_dir: Path, mode: str) -> None:
    give_up_at = asyncio.get_running_loop().time() + BUSY_TIMEOUT_S
    while refusal := await _refusal_to_remount(data_dir, mode):
        if "busy" not in refusal or asyncio.get_running_loop().time() > give_up_at:
            raise FaultUnavailable(f"{data_dir} cannot be made {mode}: {refusal}")
        await asyncio.sleep(BUSY_POLL_S)


async def _refusal_to_remount(data_dir: Path, mode: str) -> str:
    """Remount; return what `mount` has against it, empty where it is done."""
    process = await asyncio.create_subprocess_exec(
        *("mount", "-o", f"remount,bind,{mode}", str(data_dir)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode == 0:
        return ""
    return said.decode(errors="replace").strip() or f"exit {process.returncode}"
