"""What is told of a turn once it is over: one log line, and one record for SQL. Never what was said.

Only a line for the screen of `dispatcher up` has that, where the screen is a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from dispatcher.messages import SCREEN_TURN_SIGN, SCREEN_TURNS_VARIABLE, SERVICES, TurnTicket
from dispatcher.redis_client.client import RedisClient
from dispatcher.telemetry import record_stream, turn_log

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One turn from its end.

    Attributes:
        outcome: "answered", "cut" (the answer broke off), "apologised", "spoken over", "device left" or
            "nothing said".
        reason: why it was apologised for, cut, or ended before its model did; empty otherwise.
        said: what the user said or typed, for the operator's own screen alone.
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
    said: str
    typed: bool
    gaps: int
    marks: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def asked(self) -> bool:
        """Whether the user said or typed something."""
        return bool(self.said)


def tell(redis: RedisClient, ticket: TurnTicket, summary: Summary, *, server_id: str, name: str = "") -> None:
    """Write the one line that tells the whole turn, and leave its record; neither waits for anything.

    `name` is what the operator calls the device.
    """
    print_for_screen(ticket, summary, name)
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
    record_stream.add(redis, "turn", record)
    asked, typed = summary.asked, summary.typed
    turn_log.add(redis, outcome=summary.outcome, asked=asked, typed=typed, figures=record)


def print_for_screen(ticket: TurnTicket, summary: Summary, name: str) -> None:
    """Print the turn for the screen of `dispatcher up`, which keeps it out of every file; else nothing."""
    if not (mode := os.environ.get(SCREEN_TURNS_VARIABLE)):
        return
    instances = [summary.timings.get(f"{service}_instance") for service in SERVICES]
    told = {
        "turn": ticket.turn_id,
        "device": name or ticket.device_id,
        "said": summary.said if mode == "text" else "",
        "outcome": summary.outcome,
        "reason": summary.reason,
        "first_audio_ms": summary.marks.get("first_audio_ms"),
        "instances": [each for each in instances if each],
    }
    with suppress(OSError):
        sys.stdout.write(f"{SCREEN_TURN_SIGN}{json.dumps(told)}\n")
        sys.stdout.flush()
