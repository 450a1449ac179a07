"""Report of one turn at its end: one log line, and one record for SQL. Never what was said.

Only a line for the screen of `dispatcher up` has that, where the screen is a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from dispatcher.front.connection.playback import PlayoutClock
from dispatcher.messages import SCREEN_TURN_SIGN, SCREEN_TURNS_VARIABLE, SERVICES, TurnTicket
from dispatcher.redis_client.client import RedisClient
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

    def __init__(
        self,
        now: Callable[[], float],
        *,
        is_typed: bool,
        device_name: str = "",
        silence_ms: int = 0,
        ahead_at: float | None = None,
    ) -> None:
        """Begin now.

        Args:
            now: the clock that paces the reply.
            is_typed: no speech has to be recognised.
            device_name: what an operator calls the device.
            silence_ms: after which the end of speech was found; it was before everything that is marked.
            ahead_at: when the turn was begun, by that clock, at the pause that was the end; None where not.
        """
        self.outcome = "answered"
        self.reason = ""
        self.marks: dict[str, float] = {}
        self._now = now
        self._is_typed = is_typed
        self._device_name = device_name
        self._silence = {"silence_ms": silence_ms} if silence_ms else {}
        self._began_at = now()
        if ahead_at is not None:
            self.marks["speculated_ms"] = round((self._began_at - ahead_at) * 1000, 1)

    def mark(self, name: str, at: float | None = None) -> None:
        """Take down when something was ready first: now, or at a time of the clock."""
        self.marks.setdefault(name, round(((self._now() if at is None else at) - self._began_at) * 1000, 1))

    def count_cached(self) -> None:
        """Count something that was spoken from the phrase cache."""
        self.marks["cached_phrases"] = self.marks.get("cached_phrases", 0) + 1

    @property
    def end_of_speech(self) -> dict[str, float]:
        """Return how long ago speech ended, and the silence by which that was found; nothing for a button."""
        if not self._silence:
            return {}
        ago_ms = self._silence["silence_ms"] + (self._now() - self._began_at) * 1000
        return {**self._silence, "speech_ended_ms_ago": round(ago_ms)}

    def publish(
        self,
        redis: RedisClient,
        ticket: TurnTicket,
        *,
        said: str,
        sentences: int,
        clock: PlayoutClock,
        timings: Mapping[str, str | float],
        server_id: str,
        words: tuple[str, str] | None = None,
    ) -> dict[str, str | float]:
        """Write the log line and the record, which is returned; neither waits for anything.

        Args:
            redis: takes the record.
            ticket: of the turn.
            said: what the user said or typed, for the operator's own screen alone.
            sentences: of the answer, those that were played.
            clock: of its frames.
            timings: what the stages reported: instances, waits, times in ms.
            server_id: the front.
            words: what was said and answered, where the catalogue has it kept for the console.
        """
        if clock.first_frame_at is not None:
            self.mark("first_audio_ms", clock.first_frame_at)
        self._print_for_screen(ticket, said, timings)
        facts: dict[str, str | float] = {"outcome": self.outcome, "sentences": sentences}
        facts |= {"frames": clock.sent, "gaps": clock.gaps, **self._silence, **self.marks, **timings}
        reason = {"reason": self.reason} if self.reason else {}
        ids: dict[str, str | float] = {"turn": ticket.turn_id, "device": ticket.device_id}
        log.info("turn finished", **ids, **facts, **reason)
        began_at_ms = round((time.time() - (self._now() - self._began_at)) * 1000)
        record = {**facts, **ids, "server": server_id, "reason": self.reason, "started_at_ms": began_at_ms}
        record_stream.add(redis, "turn", record)
        typed = self._is_typed
        turn_log.add(redis, outcome=self.outcome, asked=bool(said), typed=typed, figures=record, words=words)
        return record

    def _print_for_screen(self, ticket: TurnTicket, said: str, timings: Mapping[str, str | float]) -> None:
        """Print the turn for the screen of `dispatcher up`, which keeps it out of every file."""
        if not (mode := os.environ.get(SCREEN_TURNS_VARIABLE)):
            return
        line = {
            "turn": ticket.turn_id,
            "device": self._device_name or ticket.device_id,
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
