"""Play-out of replies: packets leave on an absolute clock, a few frames ahead of the device.

One timer serves all devices and stands still when nobody is spoken to. Times are those of the
event loop's clock, in seconds.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dispatcher.messages import REPLY_FRAME_MS

FRAME_S: Final = REPLY_FRAME_MS / 1000
# Frames that are due within one tick leave together; the lead hides the wait.
TICKS_PER_S: Final = 50
# Sums of 60 ms differ from the clock in their last digits. A frame that is due by less than this leaves;
# else its player would be woken over and over until uvloop's clock of whole milliseconds moves on.
ROUNDING_S: Final = 1e-6
# The device drops audio until it has handled `tts start`.
AFTER_START_S: Final = 0.1


class Pacer:
    """Wakes players when they are due."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the loop's clock and one timer of it."""
        self._loop = loop
        self._due: list[tuple[float, int, Player]] = []
        self._order = itertools.count()
        self._timer: asyncio.Handle | None = None
        self._timer_at = math.inf

    def now(self) -> float:
        """Return the time of the clock that players use."""
        return self._loop.time()

    def wake(self, player: Player, at: float) -> None:
        """Call the player's `pump` at a time, on the tick after it."""
        tick = tick_after(at)
        heapq.heappush(self._due, (tick, next(self._order), player))
        self._arm()

    def _arm(self) -> None:
        """Set the timer to the earliest tick; uvloop's handles do not tell their time, so it is kept here."""
        if not self._due or self._due[0][0] >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._due[0][0]
        self._timer = self._loop.call_at(self._timer_at, self._on_timer)

    def _on_timer(self) -> None:
        now = self._loop.time()
        self._timer, self._timer_at = None, math.inf
        woken = []
        while self._due and self._due[0][0] <= now:
            woken.append(heapq.heappop(self._due)[2])
        for player in woken:
            player.pump()
        self._arm()


def tick_after(at: float) -> float:
    """Return the first tick that is not before a time.

    Divided, not multiplied: k / 50 is the very number that a clock of whole milliseconds shows then.
    """
    return math.ceil((at - ROUNDING_S) * TICKS_PER_S) / TICKS_PER_S


class PlayoutClock:
    """Times of a reply's frames: an absolute clock that starts anew after each gap.

    Attributes:
        sent: frames written so far.
        gaps: times that the device ran dry before the end; the silence after a filler is none.
        gap_ms: how long it was dry in all.
        first_frame_at: clock time of the first frame of the answer, None before it.
        filler_frames: how many frames come before the answer.
    """

    def __init__(self, lead_frames: int) -> None:
        """Count nothing yet; `lead_frames` may leave ahead of their time."""
        self.sent = 0
        self.gaps = 0
        self.gap_ms = 0.0
        self.first_frame_at: float | None = None
        self.filler_frames = 0
        self._lead_frames = lead_frames
        self._anchor = -math.inf

    @property
    def ends_at(self) -> float:
        """The time at which the device has played all that was sent."""
        return self._anchor + self.sent * FRAME_S if self.sent else -math.inf

    def next_due_at(self, now: float) -> float:
        """Return when the next frame leaves; a device that ran dry begins again from now."""
        dry_at = self._anchor + self.sent * FRAME_S
        if now >= dry_at:
            if self.sent > self.filler_frames:
                self.gaps += 1
                self.gap_ms += (now - dry_at) * 1000
            # The clock starts again from here, so that no burst makes up for the gap.
            self._anchor = now - self.sent * FRAME_S
        return self._anchor + (self.sent + 1 - self._lead_frames) * FRAME_S

    def count_frame(self, now: float) -> int:
        """Count a frame that leaves now; return its timestamp in ms."""
        if self.sent == self.filler_frames:
            self.first_frame_at = now
        self.sent += 1
        return round((self.sent - 1) * REPLY_FRAME_MS)


class ReplyOutput(Protocol):
    """A device as far as replies are played to it."""

    def send(self, kind: Any, **fields: Any) -> None:
        """Write a message."""
        ...

    def send_packet(self, packet: bytes, timestamp_ms: int) -> None:
        """Write one audio packet."""
        ...


@dataclass(frozen=True, slots=True)
class _Subtitle:
    """Text that is shown with the packets after it; that of a filler is no part of the answer."""

    text: str
    is_answer: bool


class Player:
    """Speech of one turn on its way to one device.

    Attributes:
        clock: the times of its frames.
        sentences: of the answer, those that the device has begun to play.
    """

    def __init__(
        self, pacer: Pacer, device: ReplyOutput, *, lead_frames: int, on_played: Callable[[], None]
    ) -> None:
        """Play nothing before `start`; `on_played` is called when the last frame was played."""
        self.clock = PlayoutClock(lead_frames)
        self.sentences: list[str] = []
        self._pacer = pacer
        self._device = device
        self._on_played = on_played
        self._queue: deque[bytes | _Subtitle] = deque()
        self._not_before = math.inf
        self._wakes_at = math.inf
        self._is_complete = False
        self._is_stopped = False

    def start(self) -> None:
        """Send `tts start`, once; the first frame may follow a little later."""
        if self._not_before == math.inf:
            self._device.send("tts", state="start")
            self._not_before = self._pacer.now() + AFTER_START_S
            self.pump()

    def add(self, *items: bytes | str, is_answer: bool = True) -> None:
        """Queue packets, and texts as the subtitles of the packets after them."""
        self._queue.extend(_Subtitle(item, is_answer) if isinstance(item, str) else item for item in items)
        self.pump()

    def add_filler(self, *items: bytes | str) -> None:
        """Queue what comes before the answer, in the same way."""
        self.clock.filler_frames += sum(isinstance(item, bytes) for item in items)
        self.add(*items, is_answer=False)

    def finish(self) -> None:
        """Expect nothing more; `on_played` follows."""
        self._is_complete = True
        self.pump()

    def stop(self) -> None:
        """Send nothing more, and do not call back."""
        self._is_stopped = True
        self._queue.clear()

    def pump(self) -> None:
        """Send what is due, and ask to be woken for the rest."""
        if self._is_stopped or (self._queue and self._not_before == math.inf):
            return
        now = self._pacer.now()
        while self._queue:
            if self._sleeps_until(self._not_before, now) or not self._send_due(self._queue[0], now):
                return
            self._queue.popleft()
        if self._is_complete and not self._sleeps_until(self.clock.ends_at, now):
            self._is_stopped = True
            self._on_played()

    def _send_due(self, item: bytes | _Subtitle, now: float) -> bool:
        """Send an item if its time has come; else sleep until then."""
        if isinstance(item, _Subtitle):
            if item.is_answer:
                self.sentences.append(item.text)
            self._device.send("tts", state="sentence_start", text=item.text)
            return True
        if self._sleeps_until(self.clock.next_due_at(now), now):
            return False
        self._device.send_packet(item, self.clock.count_frame(now))
        return True

    def _sleeps_until(self, at: float, now: float) -> bool:
        """Return whether a time is still to come, and ask for one wake-up however often packets come."""
        if now >= at - ROUNDING_S:
            return False
        if not now < self._wakes_at <= tick_after(at):
            self._wakes_at = tick_after(at)
            self._pacer.wake(self, at)
        return True
