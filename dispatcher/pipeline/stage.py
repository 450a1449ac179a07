"""What every stage shares: deadline, barge-in, streams that do not rest, and an answer to the front.

A stage is a coroutine on the runtime's loop. `run_stage` gives it its frame: whatever ends it, the
front hears of it, unless nobody waits any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Final, TypeVar, Unpack

import structlog

from dispatcher.errors import (
    DeadlineExceeded,
    DispatcherError,
    InstanceUnreachable,
    TurnCancelled,
    in_words,
)
from dispatcher.messages import Reply, ReplyFields, ReplyKind, Service, TurnTicket
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.routing.router import Lease, remaining_s
from dispatcher.tools.model import Progress
from dispatcher.turn_store import replies

log = structlog.get_logger(__name__)
Result = TypeVar("Result")
Item = TypeVar("Item")

# An instance that lets a stream rest this long is left for another one.
STALL_S: Final = 5.0
# One that thinks or loads sends comments as rarely as every ten seconds.
THINKING_STALL_S: Final = 20.0


def run_stage(
    stage: Service,
    ticket: TurnTicket,
    work: Callable[[WorkerContext], Coroutine[Any, Any, Result]],
    *,
    index: int = 0,
    is_thinking_allowed: bool = False,
) -> Result | None:
    """Run a stage of a turn to its end; called on the task's thread.

    Args:
        stage: names the stage in the log and in a failure.
        ticket: of the turn.
        work: the stage.
        index: number of the sentence that a failure is about.
        is_thinking_allowed: the stage may take the time that an LLM thinks beyond the turn's deadline.

    Returns:
        What the stage returned, or None where it ended early: cancelled, late or failed. The front
        was told of a failure.
    """
    shared = process_context()
    with structlog.contextvars.bound_contextvars(turn=ticket.turn_id, stage=stage):
        try:
            left_s = remaining_s(ticket.deadline_at_s)
            left_s += shared.catalogue.conversation.thinking_timeout_s * is_thinking_allowed
            return shared.run(_framed(shared, ticket, work, left_s), timeout_s=left_s)
        except TurnCancelled:
            log.debug("stage cancelled")
        except (DeadlineExceeded, TimeoutError):
            log.warning("stage dropped, its deadline passed")
        except DispatcherError as error:
            log.warning("stage failed", reason=in_words(error), error=type(error).__name__)
            shared.run(_tell_failure(shared, ticket, f"{stage}: {in_words(error)}", index), timeout_s=1.0)
    return None


async def _framed(
    shared: WorkerContext,
    ticket: TurnTicket,
    work: Callable[[WorkerContext], Coroutine[Any, Any, Result]],
    left_s: float,
) -> Result:
    with shared.cancels.guard(ticket.turn_id):
        async with asyncio.timeout(left_s):
            return await work(shared)


async def _tell_failure(shared: WorkerContext, ticket: TurnTicket, reason: str, index: int) -> None:
    reply(shared, ticket, "failed", index=index, text=reason)


def reply(shared: WorkerContext, ticket: TurnTicket, kind: ReplyKind, **fields: Unpack[ReplyFields]) -> None:
    """Send a reply to the front that holds the device."""
    what = Reply(turn_id=ticket.turn_id, attempt=ticket.attempt, kind=kind, **fields)
    replies.send(shared.redis, ticket.reply_stream, what)


async def without_stalls(lease: Lease, stream: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """Yield from an instance's stream; one that rests too long counts as out of reach.

    After a sign of life without text it may rest for longer: comments are rare while a model loads.

    Closing this closes the stream, and with it the connection to the instance.
    """
    rest_s = STALL_S
    async with aclosing(stream):
        while True:
            try:
                async with asyncio.timeout(rest_s):
                    item = await anext(stream)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise InstanceUnreachable(lease.instance.name, f"silent for {rest_s:g} s") from error
            rest_s = THINKING_STALL_S if isinstance(item, Progress) else STALL_S
            yield item
