"""Report of one turn at its end: one log line, and one record for SQL. Never what was said.

Only a line for the screen of `dispatcher up` has that, where the screen is a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from dispatcher.front.connection.front_context import FrontContext
from dispatcher.front.connection.playback import PlayoutClock
from dispatcher.front.connection.speculative_turn import SpeculativeTurn
from dispatcher.front.connection.turn_tasks import Utterance
from dispatcher.messages import SCREEN_TURN_SIGN, SCREEN_TURNS_VARIABLE, SERVICES
from dispatcher.telemetry import record_stream, turn_log

log = structlog.get_logger(__name__)


class TurnReport:
    """Facts of one turn, collected from the end of speech on.

    Attributes:
        outcome: "answered", "cut" (the answer broke off), "apologised", "turned away" (too many at once),
            "spoken over", "device left" or "nothing said".
        reason: why it was apologised for, cut, or ended before its model did; empty otherwise.
        marks: when what was ready or played, in ms after the end of speech; and how much of it was kept.
    """

    def __init__(self, context: FrontContext, utterance: Utterance) -> None:
        """Begin now."""
        self.outcome = "answered"
        self.reason = ""
        self.marks: dict[str, float] = {}
        self._context = context
        self._utterance = utterance
        # After which the end of speech was found; it was before everything that is marked.
        self._silence = {"silence_ms": utterance.silence_ms} if utterance.silence_ms else {}
        self._began_at = context.pacer.now()
        if isinstance(utterance.begun, SpeculativeTurn):
            self.marks["speculated_ms"] = round((self._began_at - utterance.begun.began_at) * 1000, 1)

    def mark(self, name: str, at: float | None = None) -> None:
        """Take down when something was ready first: now, or at a time of the clock."""
        at = self._context.pacer.now() if at is None else at
        self.marks.setdefault(name, round((at - self._began_at) * 1000, 1))

    def count_cached(self) -> None:
        """Count something that was spoken from the phrase cache."""
        self.marks["cached_phrases"] = self.marks.get("cached_phrases", 0) + 1

    @property
    def end_of_speech(self) -> dict[str, float]:
        """Return how long ago speech ended, and the silence by which that was found; nothing for a button."""
        if not self._silence:
            return {}
        ago_ms = self._silence["silence_ms"] + (self._context.pacer.now() - self._began_at) * 1000
        return {**self._silence, "speech_ended_ms_ago": round(ago_ms)}

    def publish(
        self,
        *,
        said: str,
        sentences: Sequence[str],
        clock: PlayoutClock,
        timings: Mapping[str, str | float],
    ) -> None:
        """Write the log line, the record and the trace; none waits for anything.

        Args:
            said: what the user said or typed, for the operator's own screen and the console alone.
            sentences: of the answer, those that were played.
            clock: of its frames.
            timings: what the stages reported: instances, waits, times in ms.
        """
        context, ticket, begun = self._context, self._utterance.ticket, self._utterance.begun
        if clock.first_frame_at is not None:
            self.mark("first_audio_ms", clock.first_frame_at)
        self._print_for_screen(said, timings)
        record = self._write(len(sentences), clock, timings)
        turn_log.add(
            context.redis,
            outcome=self.outcome,
            asked=bool(said),
            typed=not self._utterance.recording,
            figures=record,
            words=(said, " ".join(sentences)) if context.catalogue.console.transcripts else None,
        )
        if context.tracer and ticket.traceparent:
            context.tracer.add_turn(ticket, record, began_s=begun.opened_at_s if begun else None)

    def _write(
        self, sentences: int, clock: PlayoutClock, timings: Mapping[str, str | float]
    ) -> dict[str, str | float]:
        """Write the log line and the record, and return that."""
        ticket = self._utterance.ticket
        facts: dict[str, str | float] = {"outcome": self.outcome, "sentences": sentences}
        facts |= {"frames": clock.sent, "gaps": clock.gaps, **self._silence, **self.marks, **timings}
        reason = {"reason": self.reason} if self.reason else {}
        ids: dict[str, str | float] = {"turn": ticket.turn_id, "device": ticket.device_id}
        log.info("turn finished", **ids, **facts, **reason)
        began_at_ms = round((time.time() - (self._context.pacer.now() - self._began_at)) * 1000)
        about: dict[str, str | float] = {"server": self._context.front_id, "reason": self.reason}
        record = {**facts, **ids, **about, "started_at_ms": began_at_ms}
        record_stream.add(self._context.redis, "turn", record)
        return record

    def _print_for_screen(self, said: str, timings: Mapping[str, str | float]) -> None:
        """Print the turn for the screen of `dispatcher up`, which keeps it out of every file."""
        if not (mode := os.environ.get(SCREEN_TURNS_VARIABLE)):
            return
        line = {
            "turn": self._utterance.ticket.turn_id,
            "device": self._utterance.device_name or self._utterance.ticket.device_id,
            "said": said if mode == "text" else "",
            "outcome": self.outcome,
            "reason": self.reason,
            "first_audio_ms": self.marks.get("first_audio_ms"),
            **self._silence,
            "instances": [name for service in SERVICES if (name := timings.get(f"{service}_instance"))],
        }
        with suppress(OSError):
            sys.stdout.write(f"{SCREEN_TURN_SIGN}{json.dumps(line)}\n")
            sys.stdout.flush()
