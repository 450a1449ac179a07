"""Measuring processes of a bench: a plan in on stdin, progress and one result out on stdout.

They are processes of their own so that what they cost is not counted as ours, and so that they do
not hold back what they measure. A new one is a module of this package that ends with
`carry_out(lambda fields: run(MyPlan(**fields)))`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import structlog

from dispatcher import event_loop
from dispatcher.errors import StartError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

STOP_TIMEOUT_S: Final = 5.0
# The result of 200 devices is one line of 200 KB.
LONGEST_LINE_BYTES: Final = 16 * 1024 * 1024


async def measure(
    module: str, plan: DataclassInstance, *, timeout_s: float, on_turn: Callable[[], None]
) -> dict[str, Any]:
    """Run one measuring process, a module of this package, and return its result.

    It is stopped after the time-out; `on_turn` is called after each of its turns.

    Raises:
        StartError: it failed or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"dispatcher.ops.bench.{module}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE_BYTES,
    )
    try:
        async with asyncio.timeout(timeout_s):
            result = await _exchange(process, plan, on_turn)
            # It ends by itself now; a signal at this moment would lose its exit code.
            await process.communicate()
    except TimeoutError as error:
        raise StartError(f"bench {module} was not done after {timeout_s:.0f} s") from error
    finally:
        await _stop(process)
    if result is None:
        raise StartError(f"bench {module} ended with code {process.returncode} and no result; see above")
    return result


async def _exchange(
    process: asyncio.subprocess.Process, plan: DataclassInstance, on_turn: Callable[[], None]
) -> dict[str, Any] | None:
    if process.stdin is None or process.stdout is None:
        return None
    process.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
    process.stdin.close()
    async for line in process.stdout:
        message: dict[str, Any] = json.loads(line)
        if message:
            return message
        on_turn()
    return None


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, TimeoutError):
        if process.returncode is None:
            process.terminate()
        # The rest of its output is read too: an unread pipe would stay open.
        await asyncio.wait_for(process.communicate(), STOP_TIMEOUT_S)
    if process.returncode is None:
        process.kill()
        await process.communicate()


def carry_out(run: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]) -> None:
    """Read the plan, inside a measuring process, run it and print the result.

    Its log lines go to stderr: stdout is read by the bench.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    _print(event_loop.run(run(json.loads(sys.stdin.readline()))))


def report_turn() -> None:
    """Report the end of a turn, inside a measuring process."""
    _print({})


def _print(message: dict[str, Any]) -> None:
    """Print one message; an empty one is progress, any other the result."""
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:
        # The bench was killed: nothing reads the rest, and stdout cannot be flushed at exit either.
        os._exit(1)
