"""Bounds of the figures that are judged, as the YAML has them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from dispatcher.catalogue.fields import WHOLE, BoundCount, Duration, Ratio
from dispatcher.catalogue.section import Section, key


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound(Section):
    """What a figure is to keep to: ratios 0..1, times in seconds.

    Attributes:
        target: good up to here.
        alert: an alert above this; None where the figure is only shown.
    """

    target: float
    alert: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioBound(Bound):
    """Bound of a share, 0 to 1."""

    target: Ratio
    alert: Ratio | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeBound(Bound):
    """Bound of a time."""

    target: Duration
    alert: Duration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountBound(Bound):
    """Bound of a number of things."""

    target: BoundCount
    alert: BoundCount | None = None


def _over_default(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Return a bound of which half may be given; refuse an alert below its target, the default's too."""
    if not isinstance(value, dict):
        return handler(value)
    default = asdict(getattr(KpiTargets(), str(info.field_name)))
    given = {name: number for name, number in value.items() if number is not None}
    bound: Bound = handler({**default, **given})
    if bound.alert is not None and bound.alert < bound.target:
        origins = {name: "" if name in given else " (the default)" for name in ("target", "alert")}
        has = ", ".join(f"{name} {getattr(bound, name):g}{origin}" for name, origin in origins.items())
        words = "has {has}; expected an alert that is not below its target"
        raise PydanticCustomError(WHOLE, words, {"has": has})
    return bound


Ratios = Annotated[RatioBound, WrapValidator(_over_default)]
Times = Annotated[TimeBound, WrapValidator(_over_default)]
Counts = Annotated[CountBound, WrapValidator(_over_default)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiTargets(Section):
    """The bounds of every figure that is judged; `docs/kpis.md` says how each is measured.

    Attributes:
        window_s: over how long a time turns are counted.
    """

    window_s: Annotated[Duration, key("window")] = 300.0
    share: Ratios = field(default_factory=lambda: RatioBound(target=0.05, alert=0.10))
    failover: Times = field(default_factory=lambda: TimeBound(target=30.0, alert=60.0))
    own_share: Times = field(default_factory=lambda: TimeBound(target=0.5, alert=1.0))
    first_audio_p50: Times = field(default_factory=lambda: TimeBound(target=0.5, alert=1.0))
    first_audio_p95: Times = field(default_factory=lambda: TimeBound(target=1.0))
    devices: Counts = field(default_factory=lambda: CountBound(target=50, alert=60))
    errors: Ratios = field(default_factory=lambda: RatioBound(target=0.01, alert=0.05))
    cpu: Ratios = field(default_factory=lambda: RatioBound(target=0.80, alert=0.90))
    memory: Ratios = field(default_factory=lambda: RatioBound(target=0.85, alert=0.95))
    network: Ratios = field(default_factory=lambda: RatioBound(target=0.80, alert=0.90))
    disk: Ratios = field(default_factory=lambda: RatioBound(target=0.90, alert=0.97))
