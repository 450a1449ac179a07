"""The measuring processes of a bench: a plan in on stdin, progress and one result out on stdout.

They are processes of their own so that what they cost is not counted as ours, and so that they do
not hold back what they measure.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Final, TypeAlias

import structlog

from dispatcher.errors import StartError
from dispatcher.ops.bench.samples import BaselinePlan, ContentionPlan, GeneratorPlan, Samples

STOP_TIMEOUT_S: Final = 5.0
# The result of 200 devices is one line of 200 KB.
LONGEST_LINE_BYTES: Final = 16 * 1024 * 1024


Plan: TypeAlias = GeneratorPlan | BaselinePlan | ContentionPlan


async def measure(
    module: str, plan: GeneratorPlan | BaselinePlan, *, timeout_s: float, on_turn: Callable[[], None]
) -> Samples:
    """Run one measuring process, a module of this package, and return its samples.

    It is stopped after the time-out; `on_turn` is called after each of its turns.

    Raises:
        StartError: it failed or took too long.
    """
    return Samples.from_json(await run_child(module, plan, timeout_s=timeout_s, on_turn=on_turn))


async def run_child(
    module: str, plan: Plan, *, timeout_s: float, on_turn: Callable[[], None]
) -> dict[str, Any]:
    """Run one measuring process, a module of this package, and return what it said at its end.

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
            result = await _talk_to(process, plan, on_turn)
            # It ends by itself now; a signal at this moment would lose its exit code.
            await process.communicate()
    except TimeoutError as error:
        raise StartError(f"bench {module} was not done after {timeout_s:.0f} s") from error
    finally:
        await _stop(process)
    if result is None:
        raise StartError(f"bench {module} ended with code {process.returncode} and no result; see above")
    return result


async def _talk_to(
    process: asyncio.subprocess.Process, plan: Plan, on_turn: Callable[[], None]
) -> dict[str, Any] | None:
    if process.stdin is None or process.stdout is None:
        return None
    process.stdin.write(json.dumps(asdict(plan)).encode() + b"\n")
    process.stdin.close()
    async for line in process.stdout:
        said: dict[str, Any] = json.loads(line)
        if said:
            return said
        on_turn()
    return None


async def _stop(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, TimeoutError):
        if process.returncode is None:
            process.terminate()
        # What it still has to say is read too: an unread pipe would stay open.
        await asyncio.wait_for(process.communicate(), STOP_TIMEOUT_S)
    if process.returncode is None:
        process.kill()
        await process.communicate()


def read_plan() -> dict[str, Any]:
    """Return the plan, inside a measuring process, whose log lines go to stderr: stdout is its answer."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    return plan


def say_turn() -> None:
    """Tell that a turn is over, inside a measuring process."""
    say({})


def say_result(samples: Samples) -> None:
    """Hand over the result, inside a measuring process."""
    say(samples.as_json())


def say(message: dict[str, Any]) -> None:
    """Print one message, inside a measuring process; an empty one is progress, any other the result."""
    try:
        print(json.dumps(message), flush=True)
    except BrokenPipeError:
        # The bench was killed: nobody waits for the rest, and stdout cannot be flushed at exit either.
        os._exit(1)
