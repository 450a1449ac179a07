"""Counters and histograms of what passes by in the streams of decisions and records.

They begin at 0 with each start of the console, as Prometheus expects of counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from dispatcher.console.call_history import SeenCall
from dispatcher.messages import SERVICES
from dispatcher.telemetry.usage_counters import amounts_in

OUTCOMES: Final = (
    *("answered", "cut", "apologised", "turned away"),
    *("spoken over", "nothing said", "device left"),
)
CALL_OUTCOMES: Final = ("ok", "failed", "ignored", "probed")
TUNER_EVENTS: Final = ("tried", "kept", "undone", "reversed", "done", "refused", "observed")
# Times of a turn's record in ms, and the word of the label for each.
STAGES: Final = {
    "silence_ms": "silence",
    "asr_ms": "asr",
    "llm_first_token_ms": "llm_first_token",
    "llm_first_sentence_ms": "llm_first_sentence",
    "llm_ms": "llm",
    "tts_first_audio_ms": "tts_first_audio",
}
# The target is 0.5 s and the alert 1 s; the longest turn takes 20 s.
SECONDS_BUCKETS: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
# A slot is free at once, or after some part of a call.
WAIT_BUCKETS: Final = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


Made = TypeVar("Made", Counter, Histogram)


class StreamMetrics:
    """The metrics of one console.

    Attributes:
        registry: holds them and nothing else.
    """

    def __init__(self) -> None:
        """Count from 0; series whose labels are known exist from the start."""
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the series, and nobody asks for them
        self.registry = CollectorRegistry()
        self._counters = {
            name: self._with_series(Counter, name, text, labels) for name, (text, labels) in _COUNTERS.items()
        }
        self._histograms = {
            name: self._with_series(Histogram, f"{name}_seconds", text, labels, buckets=buckets)
            for name, (text, labels, buckets) in _HISTOGRAMS.items()
        }

    def add_decision(self, fields: Mapping[str, str], seen: SeenCall) -> None:
        """Count a pick, or the end of a call, as pick_lease.lua and finish.lua write them."""
        if seen.kind == "end":
            self._add_end(fields, seen)
        elif seen.kind:
            self._counters["route_decisions"].labels(seen.service, fields["instance"]).inc()
            if seen.kind in _OF_KIND:
                self._counters[_OF_KIND[seen.kind]].labels(seen.service).inc()

    def _add_end(self, fields: Mapping[str, str], seen: SeenCall) -> None:
        self._counters["calls"].labels(seen.service, fields["outcome"]).inc()
        if fields["outcome"] == "ok":
            self._observe("call", fields.get("latency_ms"), seen.service)
        if seen.is_wasted:
            latency_s = float(fields.get("latency_ms") or 0) / 1000
            self._counters["wasted_instance_seconds"].labels(seen.service).inc(latency_s)

    def add_record(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Count a record that is an event; gauges show the others."""
        if kind == "turn":
            self._add_turn(fields)
        elif kind == "decision" and fields.get("event") in TUNER_EVENTS:
            self._counters["tuner_decisions"].labels(fields["event"]).inc()
        elif kind == "usage":
            self._add_usage(fields)

    def _add_usage(self, fields: Mapping[str, Any]) -> None:
        """Count what calls used, of all devices together."""
        for key, amounts in amounts_in(fields).items():
            for unit, amount in amounts.items():
                name, *labels = _OF_UNIT.get(unit, ("",))
                if name and key.service in SERVICES and amount > 0:
                    of_service = (key.service,) if "service" in _COUNTERS[name][1] else ()
                    self._counters[name].labels(*of_service, key.instance, *labels).inc(amount)

    def _add_turn(self, fields: Mapping[str, Any]) -> None:
        if fields.get("outcome") in OUTCOMES:
            self._counters["turns"].labels(fields["outcome"]).inc()
        for name in ("frames", "gaps"):
            count = fields.get(name)
            if isinstance(count, (int, float)) and count > 0:
                self._counters[f"reply_{name}"].inc(count)
        self._observe("first_audio", fields.get("first_audio_ms"))
        for name, stage in STAGES.items():
            self._observe("stage", fields.get(name), stage)
        for service in SERVICES:
            self._observe("slot_wait", fields.get(f"{service}_wait_ms"), service)

    def _observe(self, name: str, milliseconds: Any, *labels: str) -> None:
        """Add a time, unless it is none: what another version writes does no harm."""
        try:
            seconds = float(milliseconds) / 1000
        except (TypeError, ValueError):
            return
        metric = self._histograms[name]
        (metric.labels(*labels) if labels else metric).observe(seconds)

    def _with_series(
        self, kind: type[Made], name: str, text: str, labels: Mapping[str, tuple[str, ...]], **options: Any
    ) -> Made:
        """Return a metric whose series with known labels exist from the start."""
        metric = kind(f"xiaozhi_{name}", text, tuple(labels), registry=self.registry, **options)
        for values in product(*labels.values()) if labels else ():
            metric.labels(*values)
        return metric


_OF_KIND: Final = {"hedge": "hedges", "retry": "retries", "probe": "probes"}
# Counter and kind of each unit of usage.
_OF_UNIT: Final[Mapping[str, tuple[str, ...]]] = {
    "prompt_tokens": ("llm_tokens", "prompt"),
    "cached_tokens": ("llm_tokens", "cached"),
    "completion_tokens": ("llm_tokens", "completion"),
    "characters": ("tts_characters",),
    "seconds": ("speech_seconds",),
    "cost": ("usage_cost",),
}
_BY_SERVICE: Final[Mapping[str, tuple[str, ...]]] = {"service": SERVICES}
_NO_LABELS: Final[Mapping[str, tuple[str, ...]]] = {}
# Name, help, labels with the values that are known beforehand.
_COUNTERS: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, ...]]]]] = {
    "turns": ("Turns that ended, by the front's word for how.", {"outcome": OUTCOMES}),
    "reply_frames": ("Frames sent to devices.", _NO_LABELS),
    "reply_gaps": ("Times that a device ran dry within a reply.", _NO_LABELS),
    "route_decisions": ("Calls that were given to an instance.", {"service": SERVICES, "instance": ()}),
    "calls": ("Calls that ended.", {"service": SERVICES, "outcome": CALL_OUTCOMES}),
    "hedges": ("Calls made beside one that was late.", _BY_SERVICE),
    "retries": ("Calls made after one that had failed.", _BY_SERVICE),
    "probes": ("Calls that only show how an instance does.", _BY_SERVICE),
    "wasted_instance_seconds": ("Time of calls whose result nobody used.", _BY_SERVICE),
    "llm_tokens": (
        "Tokens of LLM calls; cached ones are part of the prompt.",
        {"instance": (), "kind": ("prompt", "cached", "completion")},
    ),
    "tts_characters": ("Characters that were given to be spoken.", {"instance": ()}),
    "speech_seconds": ("Speech that was recognised or made.", {"service": ("asr", "tts"), "instance": ()}),
    "usage_cost": ("Cost of calls, in the currency of the YAML.", {"service": SERVICES, "instance": ()}),
    "tuner_decisions": ("Decisions of the tuner.", {"event": TUNER_EVENTS}),
}
_HISTOGRAMS: Final[Mapping[str, tuple[str, Mapping[str, tuple[str, ...]], tuple[float, ...]]]] = {
    "first_audio": ("From the end of speech to the first packet.", _NO_LABELS, SECONDS_BUCKETS),
    "stage": ("Times of a turn's stages.", {"stage": tuple(STAGES.values())}, SECONDS_BUCKETS),
    "slot_wait": ("How long the first call of a stage waited for a slot.", _BY_SERVICE, WAIT_BUCKETS),
    "call": ("Calls that succeeded, whole.", _BY_SERVICE, SECONDS_BUCKETS),
}
