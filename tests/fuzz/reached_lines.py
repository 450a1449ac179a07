"""Lines of our code that a case reaches, and the few cases that reach all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeAlias

from tests.architecture.tree import ROOT

Lines: TypeAlias = set[tuple[str, int]]
_OURS: Final = str(ROOT / "dispatcher")


@contextmanager
def reached_lines(lines: Lines) -> Iterator[None]:
    """Add the lines of our code that run meanwhile."""

    def on_event(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        path = frame.f_code.co_filename
        if not path.startswith(_OURS):
            return None
        if event == "line":
            lines.add((path, frame.f_lineno))
        return on_event

    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        yield
    finally:
        sys.settrace(before)


def few_cases(cases: Mapping[bytes, Lines], most: int) -> list[bytes]:
    """Return the cases that reach most lines, each of them some that those before do not."""
    chosen: list[bytes] = []
    reached: Lines = set()
    while len(chosen) < most:
        best = max(cases, key=lambda case: (len(cases[case] - reached), -len(case), case), default=None)
        if best is None or cases[best] <= reached:
            break
        chosen.append(best)
        reached |= cases[best]
    return chosen
