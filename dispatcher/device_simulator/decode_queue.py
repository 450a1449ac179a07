"""The firmware's decode queue, by which a reply is heard whole or with holes."""

from __future__ import annotations

from typing import Final

# The boards' sound driver holds some sound of its own: a shorter silence is late, and not heard.
HEARD_MS: Final = 20.0
# Sums of floats; a frame that comes in this very moment is not late.
_ROUNDING_S: Final = 1e-6


class DecodeQueue:
    """Packets waiting to be played, one per frame time from the first one's arrival on.

    A frame that is being played has left the queue. The time is what the caller says it is, so the
    queue needs no task and no clock: it catches up whenever it is asked.

    Attributes:
        accepted: frames taken since the queue was cleared.
        dropped: frames that found it full; the firmware says nothing either.
        late: frames that came after their time, to a speaker already silent.
        gaps: silences inside the reply that can be heard.
        gap_ms: their length in all.
    """

    def __init__(self, capacity: int = 20, frame_ms: float = 60) -> None:
        """Begin empty.

        Raises:
            ValueError: a queue without a place, or frames without a length.
        """
        if capacity < 1 or frame_ms <= 0:
            raise ValueError(f"a queue of {capacity} frames of {frame_ms} ms; both must be above 0")
        self._capacity = capacity
        self._frame_s = frame_ms / 1000
        self.clear()

    def clear(self) -> None:
        """Forget everything, counts too; `tts start` does this."""
        self.accepted = 0
        self.dropped = 0
        self.late = 0
        self.gaps = 0
        self.gap_ms = 0.0
        self._waiting = 0
        self._next_s: float | None = None

    def put(self, now_s: float) -> bool:
        """Take one frame that arrives now; return whether there was room.

        Args:
            now_s: any clock that never goes back.
        """
        self._play_until(now_s)
        if self._waiting >= self._capacity:
            self.dropped += 1
            return False
        self.accepted += 1
        if self._next_s is None:
            self._next_s = now_s
        elif not self._waiting and now_s > self._next_s + _ROUNDING_S:
            self._count_silence((now_s - self._next_s) * 1000)
            self._next_s = now_s
        self._waiting += 1
        self._play_until(now_s)
        return True

    def waiting(self, now_s: float) -> int:
        """Return how many frames are still to be begun."""
        self._play_until(now_s)
        return self._waiting

    def silent_at_s(self, now_s: float) -> float:
        """Return when the speaker falls silent if nothing more comes; now at the earliest."""
        self._play_until(now_s)
        if self._next_s is None:
            return now_s
        return max(now_s, self._next_s + self._waiting * self._frame_s)

    def _play_until(self, now_s: float) -> None:
        while self._waiting and self._next_s is not None and self._next_s <= now_s + _ROUNDING_S:
            self._waiting -= 1
            self._next_s += self._frame_s

    def _count_silence(self, silence_ms: float) -> None:
        self.late += 1
        if silence_ms > HEARD_MS:
            self.gaps += 1
            self.gap_ms += silence_ms
