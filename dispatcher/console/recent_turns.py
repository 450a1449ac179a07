"""The last turns of all fronts as the streams told them: their times, and how their calls were picked."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Any, Final

from dispatcher.console.call_history import SeenCall
from dispatcher.messages import SERVICES
from dispatcher.percentile import percentile

TURNS_SHOWN: Final = 40
# Enough for the percentiles of waits, and for the late frames of each device.
TURNS_REMEMBERED: Final = 200
_CALLS_REMEMBERED: Final = 500
_WAITS: Final = tuple(f"{service}_wait_ms" for service in SERVICES)
FIELDS: Final = (
    *("turn", "device", "started_at_ms", "outcome", "reason", "sentences", "frames", "gaps"),
    *("transcript_ms", "audio_ready_ms", "reply_ready_ms", "first_audio_ms", "played_ms", "filler_ms"),
    *(f"{service}_instance" for service in SERVICES),
    *_WAITS,
    *("asr_ms", "llm_first_token_ms", "llm_first_sentence_ms", "llm_ms", "tts_first_audio_ms"),
    *("llm_prompt_tokens", "llm_cached_tokens"),
)


class RecentTurns:
    """Turns that ended, newest last, with the hedges and retries of their calls."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._turns: deque[dict[str, Any]] = deque(maxlen=TURNS_REMEMBERED)
        self._calls: OrderedDict[str, Counter[str]] = OrderedDict()

    def add_decision(self, fields: Mapping[str, str], seen: SeenCall) -> None:
        """Count a pick for its turn."""
        if seen.kind not in ("", "end"):
            self._calls.setdefault(fields["turn"], Counter())[seen.kind] += 1
            while len(self._calls) > _CALLS_REMEMBERED:
                self._calls.popitem(last=False)

    def add_record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Remember a turn that ended."""
        if kind == "turn":
            self._turns.append({name: fields[name] for name in FIELDS if fields.get(name) not in (None, "")})

    def add_earlier(self, turns: Iterable[Mapping[str, Any]]) -> None:
        """Put turns of the store before those of the stream, oldest first; those that are known stay."""
        known = [*self._turns]
        ids = {turn.get("turn") for turn in known}
        self._turns.clear()
        for fields in turns:
            if fields.get("turn") not in ids:
                self.add_record("turn", fields)
        self._turns.extend(known)

    def newest(self) -> list[dict[str, Any]]:
        """Return the turns to show, newest first; `calls` counts the picks of each by kind."""
        shown = list(self._turns)[: -TURNS_SHOWN - 1 : -1]
        return [{**turn, "calls": dict(self._calls.get(turn.get("turn", ""), {}))} for turn in shown]

    def wait_p95_ms(self) -> dict[str, float | None]:
        """Return how long calls of a service waited for a slot, of the turns that are remembered."""
        waits = {name: [turn[name] for turn in self._turns if name in turn] for name in _WAITS}
        return {
            service: percentile(waits[name], 0.95) for service, name in zip(SERVICES, _WAITS, strict=True)
        }

    def late_frames(self) -> dict[str, int]:
        """Return how often each device ran dry within a reply, of the turns that are remembered."""
        gaps: Counter[str] = Counter()
        for turn in self._turns:
            gaps[str(turn.get("device", ""))] += int(turn.get("gaps", 0))
        return dict(gaps)
