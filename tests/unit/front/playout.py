"""An event loop's clock that only tests move, and a device that listens by it."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from dispatcher.front.connection.playback import FRAME_S, Pacer, Player

# More often than this in one millisecond is a timer that runs wild.
MOST_CALLS_AT_ONCE = 1_000


@dataclass(eq=False)
class Handle:
    """A call to come; like those of uvloop it does not tell when."""

    call: Callable[[], object]
    cancelled: bool = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Clock:
    """The clock and the timers of a loop; it shows whole milliseconds, as uvloop's does.

    Attributes:
        now_ms: the time; real ones count from the start of the machine.
        calls: timers that went off.
    """

    now_ms: int = 4_321_007
    calls: int = 0
    _timers: list[tuple[int, int, Handle]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the clock as what the pacer takes."""
        return cast("asyncio.AbstractEventLoop", self)

    @property
    def armed(self) -> int:
        """Return how many timers are set."""
        return sum(not handle.cancelled for _, _, handle in self._timers)

    def time(self) -> float:
        return self.now_ms / 1000

    def call_at(self, when: float, call: Callable[[], object]) -> Handle:
        handle = Handle(call)
        delay_ms = max(0, round((when - self.time()) * 1000))
        heapq.heappush(self._timers, (self.now_ms + delay_ms, next(self._order), handle))
        return handle

    def advance(self, seconds: float = math.inf) -> None:
        """Let time pass, or let every timer go off that is set or will be."""
        until_ms = self.now_ms + seconds * 1000
        at_once = 0
        while self._timers and self._timers[0][0] <= until_ms:
            due_ms, _, handle = heapq.heappop(self._timers)
            if handle.cancelled:
                continue
            at_once = 0 if due_ms > self.now_ms else at_once + 1
            assert at_once < MOST_CALLS_AT_ONCE, "the timer goes off again and again"
            self.now_ms = due_ms
            self.calls += 1
            handle.call()
        if seconds < math.inf:
            self.now_ms = round(until_ms)


@dataclass
class PlayingDevice:
    """A device that plays what it gets, and how it goes.

    Attributes:
        arrived: what came, packets and subtitles, and when.
        ends_at: when the last frame so far will have been played.
        most_waiting: frames that waited in its queue or were just played, at most.
        played_at: the times at which the front took the reply as played.
    """

    clock: Clock
    arrived: list[tuple[float, bytes | str]] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    ends_at: float = -math.inf
    most_waiting: int = 0
    played_at: list[float] = field(default_factory=list)

    @property
    def items(self) -> list[bytes | str]:
        return [item for _, item in self.arrived]

    @property
    def frame_times(self) -> list[float]:
        return [at for at, item in self.arrived if isinstance(item, bytes)]

    def send_packet(self, packet: bytes, timestamp_ms: int) -> None:
        now = self.clock.time()
        self.arrived.append((now, packet))
        self.timestamps_ms.append(timestamp_ms)
        self.ends_at = max(self.ends_at, now) + FRAME_S
        self.most_waiting = max(self.most_waiting, math.ceil((self.ends_at - now) / FRAME_S - 1e-6))

    def send(self, kind: Any, **fields: Any) -> None:
        """Take in a message; of a reply only its subtitles are kept here."""
        if (kind, fields["state"]) == ("tts", "sentence_start"):
            self.arrived.append((self.clock.time(), fields["text"]))

    def played(self) -> None:
        self.played_at.append(self.clock.time())


@dataclass
class Playout:
    """One clock, one pacer, and devices that are spoken to."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.clock.loop)

    def player(self, *, lead_frames: int = 5, started: bool = True) -> tuple[Player, PlayingDevice]:
        device = PlayingDevice(self.clock)
        player = Player(self.pacer, device, lead_frames=lead_frames, on_played=device.played)
        if started:
            player.start()
        return player, device


def frames(count: int, *, first: int = 0) -> list[bytes]:
    """Return packets that tell their number."""
    return [b"%d" % number for number in range(first, first + count)]
