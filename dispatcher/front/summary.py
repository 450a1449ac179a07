"""What is told of a turn once it is over: one log line, and one record for SQL. Never what was said."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from dispatcher.contracts import TurnTicket
from dispatcher.state import record_stream, turn_log
from dispatcher.state.line import RedisLine

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One turn from its end.

    Attributes:
        outcome: "answered", "cut" (the answer broke off), "apologised", "spoken over", "device left" or
            "nothing said".
        reason: why it was apologised for, cut, or ended before its model did; empty otherwise.
        asked: whether the user said or typed something.
        typed: whether no speech had to be recognised.
        lasted_s: from the end of speech to the end of the turn.
        marks: when what was ready or heard, in ms after the end of speech.
        timings: what the stages reported: instances, waits, times in ms.
    """

    outcome: str
    reason: str
    lasted_s: float
    sentences: int
    frames: int
    asked: bool
    typed: bool
    gaps: int
    marks: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, str | float] = field(default_factory=dict)


def tell(line: RedisLine, ticket: TurnTicket, summary: Summary, *, server_id: str) -> None:
    """Write the one line that tells the whole turn, and leave its record; neither waits for anything."""
    counts = {name: getattr(summary, name) for name in ("outcome", "sentences", "frames", "gaps")}
    facts = {**counts, **summary.marks, **summary.timings}
    if summary.reason:
        facts["reason"] = summary.reason
    log.info("turn finished", turn=ticket.turn_id, device=ticket.device_id, **facts)
    record = {
        **facts,
        "turn": ticket.turn_id,
        "device": ticket.device_id,
        "server": server_id,
        "reason": summary.reason,
        "started_at_ms": round((time.time() - summary.lasted_s) * 1000),
    }
    record_stream.add(line, "turn", record)
    asked, typed = summary.asked, summary.typed
    turn_log.note(line, outcome=summary.outcome, asked=asked, typed=typed, figures=record)
