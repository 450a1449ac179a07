"""Frame of every stage: deadline, barge-in, streams that stall, and replies to the front.

A stage is a coroutine on the loop of the process. Whatever ends it, `run_stage` sends the front a reply,
unless nobody waits any more.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any, Final, Self, TypeVar, Unpack

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
STREAM_STALL_TIMEOUT_S: Final = 5.0
# One that thinks or loads sends comments as rarely as every ten seconds.
THINKING_STALL_TIMEOUT_S: Final = 20.0
FAILURE_TIMEOUT_S: Final = 1.0


def run_stage(
    stage: Service,
    ticket: TurnTicket,
    work: Callable[[WorkerContext], Coroutine[Any, Any, Result]],
    *,
    index: int = 0,
    is_thinking_allowed: bool = False,
    sent_at_s: float | None = None,
) -> Result | None:
    """Run a stage of a turn to its end; called on the task's thread.

    Args:
        stage: names the stage in the log and in a failure.
        ticket: of the turn.
        work: the stage.
        index: number of the sentence that a failure is about.
        is_thinking_allowed: the stage may take the time that an LLM thinks beyond the turn's deadline.
        sent_at_s: Unix time at which its message was sent, where that is known.

    Returns:
        The stage's result, or None where it ended early: cancelled, late or failed, which the front was sent.
    """
    context = process_context()
    with structlog.contextvars.bound_contextvars(turn=ticket.turn_id, stage=stage):
        try:
            left_s = remaining_s(ticket.deadline_at_s)
            left_s += context.catalogue.conversation.thinking_timeout_s * is_thinking_allowed
            running = _until(left_s, context, ticket, work)
            if ticket.traceparent and context.tracer:
                running = context.tracer.stage(running, ticket, stage, index, sent_at_s=sent_at_s)
            return context.run(running, timeout_s=left_s)
        except TurnCancelled:
            log.debug("stage cancelled")
        except (DeadlineExceeded, TimeoutError):
            log.warning("stage dropped, its deadline passed")
        except DispatcherError as error:
            context.run(_send_failure(context, ticket, stage, index, error), timeout_s=FAILURE_TIMEOUT_S)
    return None


async def _until(
    left_s: float,
    context: WorkerContext,
    ticket: TurnTicket,
    work: Callable[[WorkerContext], Coroutine[Any, Any, Result]],
) -> Result:
    with context.turns.cancellable(ticket.turn_id):
        async with asyncio.timeout(left_s):
            return await work(context)


async def _send_failure(
    context: WorkerContext, ticket: TurnTicket, stage: Service, index: int, error: DispatcherError
) -> None:
    """Send the front why a stage failed; one of a speculation has only to be made again, as a real one."""
    if ticket.speculative:
        log.debug("speculative stage ended", reason=in_words(error))
        reply(context, ticket, "lost", index=index, text=stage, last=True)
        return
    reason, name = in_words(error), type(error).__name__
    log.warning("stage failed", reason=reason, error=name)
    reply(context, ticket, "failed", index=index, text=f"{stage}: {reason}", error=name)


def reply(context: WorkerContext, ticket: TurnTicket, kind: ReplyKind, **fields: Unpack[ReplyFields]) -> None:
    """Send a reply to the front that holds the device."""
    answer = Reply(turn_id=ticket.turn_id, attempt=ticket.attempt, kind=kind, **fields)
    replies.send(context.redis, ticket.reply_stream, answer)


async def without_stalls(
    lease: Lease, stream: AsyncGenerator[Item, None], *, first_timeout_s: float = STREAM_STALL_TIMEOUT_S
) -> AsyncGenerator[Item, None]:
    """Yield from an instance's stream; one that rests too long counts as out of reach.

    Its first item may take `first_timeout_s`. After a sign of life without text it may rest for longer:
    comments are rare while a model loads.

    Closing this closes the stream, and with it the connection to the instance.
    """
    rest_s = first_timeout_s
    async with aclosing(stream):
        with StallTimer() as timer:
            while True:
                timer.due = timer.loop.time() + rest_s
                try:
                    item = await anext(stream)
                except StopAsyncIteration:
                    return
                except asyncio.CancelledError as error:
                    if not timer.try_take_back():
                        raise
                    raise InstanceUnreachable(lease.instance.name, f"silent for {rest_s:g} s") from error
                timer.due = math.inf
                rest_s = THINKING_STALL_TIMEOUT_S if isinstance(item, Progress) else STREAM_STALL_TIMEOUT_S
                yield item


class StallTimer:
    """Timeout of each of many waits of one task, with one timer of the loop for all of them.

    A timer for each of the fifty chunks of a reply cost 3 microseconds each.

    Attributes:
        loop: whose clock counts.
        due: when the wait of the task is too long; infinity while it does not wait.
    """

    def __init__(self) -> None:
        """Time nothing yet."""
        self.loop = asyncio.get_running_loop()
        self.due = math.inf
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._is_expired = False

    def __enter__(self) -> Self:
        """Begin to look."""
        self._look_again()
        return self

    def __exit__(self, *_: object) -> None:
        """Cancel nothing any more."""
        if self._timer is not None:
            self._timer.cancel()

    def try_take_back(self) -> bool:
        """Return whether the cancellation of the task was this one's, and take it back where it was."""
        if self._is_expired and self._task is not None:
            return self._task.uncancel() == 0
        return False

    def _on_time(self) -> None:
        if self.due <= self.loop.time() and self._task is not None:
            self._is_expired = True
            self._task.cancel()
        else:
            self._look_again()

    def _look_again(self) -> None:
        """Set the timer, to a time before which no wait that begins meanwhile can be due."""
        later = min(self.due, self.loop.time() + STREAM_STALL_TIMEOUT_S)
        self._timer = self.loop.call_at(later, self._on_time)
