"""Turns of one front that are under way, and the utterances that will become some."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

import structlog

from dispatcher.messages import Reply

log = structlog.get_logger(__name__)

TURN_POLL_INTERVAL_S: Final = 0.25


class ReplyReceiver(Protocol):
    """An utterance that is still being spoken, or the turn that it became."""

    def on_reply(self, reply: Reply) -> None:
        """Take in a reply of a stage."""
        ...


class RunningTurn(ReplyReceiver, Protocol):
    """A turn under way."""

    def on_clock(self) -> None:
        """Act on a stage that is late."""
        ...


class RunningTurns:
    """Receivers of replies by the id of their turn.

    Attributes:
        utterances: those that are still being spoken.
    """

    def __init__(self) -> None:
        """Have none."""
        self.utterances: dict[str, ReplyReceiver] = {}
        self._turns: dict[str, RunningTurn] = {}
        self._ended = 0

    def __len__(self) -> int:
        """Return how many turns are under way."""
        return len(self._turns)

    @property
    def begun(self) -> int:
        """How many turns began since the front started."""
        return self._ended + len(self._turns)

    def add(self, turn_id: str, turn: RunningTurn) -> None:
        """Route replies to a turn from now on."""
        self._turns[turn_id] = turn

    def remove(self, turn_id: str) -> bool:
        """Route no more replies to a turn; return whether it was under way."""
        was_running = self._turns.pop(turn_id, None) is not None
        self._ended += was_running
        return was_running

    def route(self, reply: Reply) -> None:
        """Give a reply to its turn; one whose turn is over is dropped."""
        receiver = self._turns.get(reply.turn_id) or self.utterances.get(reply.turn_id)
        if receiver is None:
            return
        try:
            receiver.on_reply(reply)
        except Exception:  # one reply that its turn cannot use must not silence every other device
            log.exception("reply not usable", turn=reply.turn_id, kind=reply.kind)

    def check_late(self) -> None:
        """Have every turn look for a late stage: it is sent again, or apologised for."""
        for turn_id, turn in list(self._turns.items()):
            try:
                turn.on_clock()
            except Exception:  # nor must one turn stop the clock of the others
                log.exception("turn lost its clock", turn=turn_id)

    async def watch(self) -> None:
        """Check for late stages until cancelled."""
        while True:
            await asyncio.sleep(TURN_POLL_INTERVAL_S)
            self.check_late()
