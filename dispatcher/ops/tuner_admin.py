"""The tuner for an operator: its log, its state, and undo."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from rich.console import RenderableType
from rich.text import Text

from dispatcher.control import tuner_store
from dispatcher.control.overrides import read_overrides
from dispatcher.control.tuner_tables import log_table, status_lines
from dispatcher.errors import UnknownName
from dispatcher.messages import TunerMode
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table

UNDO_TIMEOUT_S: Final = 15.0
UNDO_POLL_INTERVAL_S: Final = 0.2


async def read_log(redis: RedisClient, *, last: int) -> RenderableType:
    """Return the last experiments: when, why, what, and the verdict."""
    experiments = await tuner_store.read_log(redis)
    return log_table(experiments[-last:]) if experiments else Text("the tuner has decided nothing yet")


async def read_status(redis: RedisClient) -> list[str]:
    """Return lines with the mode, the experiments that are kept, and what cannot act here."""
    state, overrides, found = await asyncio.gather(
        tuner_store.load(redis), read_overrides(redis), instance_table.read_active(redis)
    )
    configured: TunerMode = found.catalogue.tuner.mode if found else "observe"
    return status_lines(state, overrides, configured=configured, now=time.time())


class UndoPending(UnknownName):
    """The tuner was asked to take an experiment back, and has not done it yet."""


async def undo(redis: RedisClient, number: int, *, timeout_s: float = UNDO_TIMEOUT_S) -> None:
    """Have the tuner take an experiment back, and wait until it is.

    Raises:
        UnknownName: there is no such experiment.
        UndoPending: it was not taken back in time; it may be later.
    """
    if (await tuner_store.load(redis)).find(number) is None:
        raise UnknownName(f"experiment {number} is not in force; `dispatcher tuner status` lists what is")
    await tuner_store.request_undo(redis, number)
    try:
        async with asyncio.timeout(timeout_s):
            while (await tuner_store.load(redis)).find(number) is not None:  # noqa: ASYNC110  it is elsewhere
                await asyncio.sleep(UNDO_POLL_INTERVAL_S)
    except TimeoutError as error:
        raise UndoPending(
            f"experiment {number} is still in force after {timeout_s:.0f} s; "
            "does a worker of queue control run?"
        ) from error
