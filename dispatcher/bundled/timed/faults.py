"""Failing on purpose: what a timed engine can be told to do wrong, at its start or while it runs."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Mode: TypeAlias = Literal[
    "none", "error", "fast-error", "refuse", "hang", "keepalive", "stall-after", "drip", "slow", "flap"
]
MODES: Final[tuple[Mode, ...]] = get_args(Mode)

# Modes that need a number, with the one that is taken when none is given.
DEFAULT_VALUES: Final[dict[Mode, float]] = {"stall-after": 3, "drip": 2, "slow": 10, "flap": 5}
_WRITTEN: Final = re.compile(r"(?P<mode>[a-z-]+)(?:=(?P<value>\d+(?:\.\d+)?)s?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What goes wrong.

    Attributes:
        mode: error = 500 after the normal time · fast-error = 500 at once · refuse = every
            connection is reset · hang = no answer ever · keepalive = signs of life but no result ·
            stall-after = `value` pieces, then silence · drip = a piece every `value` seconds ·
            slow = everything takes `value` times as long · flap = well for `value` seconds, then
            fast-error and refused health checks for as long.
        value: the number that the mode needs; 0 where it needs none.
    """

    mode: Mode = "none"
    value: float = 0.0


NO_FAULT: Final = Fault()


def read_fault(text: str) -> Fault:
    """Return the fault that is written like `stall-after=3`, `drip=2s` or `hang`.

    Raises:
        ValueError: there is no such mode; the message says what was expected.
    """
    written = _WRITTEN.fullmatch(text)
    mode = next((mode for mode in MODES if written and mode == written["mode"]), None)
    if written is None or mode is None:
        raise ValueError(f"expected one of {', '.join(MODES)}, with a number as in stall-after=3 or drip=2s")
    value = float(written["value"]) if written["value"] else DEFAULT_VALUES.get(mode, 0.0)
    return fault_of(mode, value)


def fault_of(mode: Mode, value: float | None) -> Fault:
    """Return the fault; a number of 0 or less where the mode needs one is its default.

    A mode that needs no number has none, whatever was given.
    """
    default = DEFAULT_VALUES.get(mode)
    if default is None:
        return Fault(mode=mode)
    return Fault(mode=mode, value=value if value is not None and value > 0 else default)


class Faults:
    """The switch of one instance."""

    def __init__(self, fault: Fault = NO_FAULT, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a fault, or with none."""
        self._clock = clock
        self.set(fault)

    @property
    def chosen(self) -> Fault:
        """The fault as it was set; none once its time is over."""
        is_over = self._for_s is not None and self._clock() - self._since_s >= self._for_s
        return NO_FAULT if is_over else self._fault

    def set(self, fault: Fault, *, for_s: float | None = None) -> None:
        """Fail like this from now on; calls under way go on as they began.

        `for_s` ends it by itself, should whoever set it be gone by then.
        """
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
