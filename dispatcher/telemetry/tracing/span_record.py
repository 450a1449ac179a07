"""Records of finished spans and their ids; pure.

Ids follow from what every process knows (the turn, the stage, the lease), so no process has to ask another
one for a parent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Attributes: TypeAlias = "Mapping[str, str | float]"
# As OpenTelemetry names them.
Kind = Literal["SERVER", "CONSUMER", "CLIENT", "INTERNAL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanId:
    """Trace and number of a span, as W3C writes them.

    Attributes:
        trace: 32 hexadecimal digits; those of the turn's id.
        number: 16 hexadecimal digits.
    """

    trace: str
    number: str

    @classmethod
    def of_turn(cls, turn_id: str) -> SpanId:
        """Return the root of a turn's trace, whose id is 32 hexadecimal digits."""
        return cls(trace=turn_id, number=_digits(turn_id))

    @classmethod
    def parse(cls, traceparent: str) -> SpanId:
        """Return what a `traceparent` of ours names."""
        _, trace, number, _ = traceparent.split("-")
        return cls(trace=trace, number=number)

    def child(self, *parts: str | int) -> SpanId:
        """Return the span of the same trace that these parts name."""
        return SpanId(trace=self.trace, number=_digits(self.trace, *parts))

    @property
    def traceparent(self) -> str:
        """The header of W3C Trace Context, version 00, of a trace that is sampled."""
        return f"00-{self.trace}-{self.number}-01"


def _digits(*parts: str | int) -> str:
    return hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord:
    """One finished span.

    Attributes:
        parent: number of the parent, empty for a root.
        started_s, ended_s: Unix time.
        moments: names and Unix times of what happened in between.
        linked: number of a span of this trace because of which there is this one; empty for none.
        error: class of the error; empty where it went well.
        error_text: in words, as in the log.
    """

    name: str
    kind: Kind
    span: SpanId
    parent: str = ""
    started_s: float
    ended_s: float
    attributes: Attributes = field(default_factory=dict)
    moments: tuple[tuple[str, float], ...] = ()
    linked: str = ""
    error: str = ""
    error_text: str = ""
