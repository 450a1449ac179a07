"""Faults that an instance can be told to have, at its start or while it runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

FaultMode: TypeAlias = Literal[
    "none", "error", "fast-error", "refuse", "hang", "keepalive", "stall-after", "drip", "slow", "flap"
]
# Modes that need a number, with the one that is taken when none is given.
_DEFAULT_VALUES: Final[dict[FaultMode, float]] = {"stall-after": 3, "drip": 2, "slow": 10, "flap": 5}
_WRITTEN: Final = re.compile(r"(?P<mode>[a-z-]+)(?:=(?P<value>\d+(?:\.\d+)?)s?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault.

    Attributes:
        mode: error = 500 after the normal time · fast-error = 500 at once · refuse = every
            connection is reset · hang = no answer ever · keepalive = signs of life but no result ·
            stall-after = `value` pieces, then silence · drip = a piece every `value` seconds ·
            slow = everything takes `value` times as long · flap = healthy for `value` seconds, then
            fast-error and failed health checks for as long.
        value: the number that the mode needs; 0 where it needs none.
    """

    mode: FaultMode = "none"
    value: float = 0.0

    @classmethod
    def of(cls, mode: FaultMode, value: float | None) -> Fault:
        """Return the fault; a number of 0 or less where the mode needs one is its default."""
        default = _DEFAULT_VALUES.get(mode)
        if default is None:
            return cls(mode=mode)
        return cls(mode=mode, value=value if value is not None and value > 0 else default)


NO_FAULT: Final = Fault()


def read_fault(text: str) -> Fault:
    """Return the fault that is written like `stall-after=3`, `drip=2s` or `hang`.

    Raises:
        ValueError: there is no such mode; the message says what was expected.
    """
    modes: tuple[FaultMode, ...] = get_args(FaultMode)
    written = _WRITTEN.fullmatch(text)
    mode = next((mode for mode in modes if written and mode == written["mode"]), None)
    if written is None or mode is None:
        raise ValueError(f"expected one of {', '.join(modes)}, with a number as in stall-after=3 or drip=2s")
    return Fault.of(mode, float(written["value"]) if written["value"] else None)


class FaultSetting:
    """The fault that is set at one instance, and until when."""

    def __init__(self, fault: Fault = NO_FAULT, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a fault, or with none."""
        self._clock = clock
        self.set_fault(fault)

    @property
    def chosen(self) -> Fault:
        """The fault as it was set; none once its time is over."""
        is_over = self._for_s is not None and self._clock() - self._since_s >= self._for_s
        return NO_FAULT if is_over else self._fault

    def set_fault(self, fault: Fault, *, for_s: float | None = None) -> None:
        """Fail like this from now on, for so long at most; calls under way go on as they began."""
        self._fault = fault
        self._for_s = for_s
        self._since_s = self._clock()

    def current(self) -> Fault:
        """Return the fault at this moment: a flapping one is none, or fast-error, by the clock."""
        fault = self.chosen
        if fault.mode != "flap":
            return fault
        phase = int((self._clock() - self._since_s) / fault.value)
        return Fault(mode="fast-error") if phase % 2 else NO_FAULT
