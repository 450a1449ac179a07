"""Runs that start processes or inject faults: SIGTERM ends them like Ctrl-C, and all of it is undone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_interruptible(
    coroutine: Coroutine[Any, Any, Result],
    *,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> Result:
    """Return the result of a coroutine, on a loop of its own.

    Raises:
        KeyboardInterrupt: SIGINT or SIGTERM came; the coroutine was cancelled and has ended.
    """
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        loop = runner.get_loop()
        loop.add_signal_handler(signal.SIGTERM, signal.raise_signal, signal.SIGINT)
        return runner.run(coroutine)
