"""Lines of the screen of `make run` for people: a turn, a reload."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any, Final

from rich.text import Text

SHOWN_CHARACTERS: Final = 60
SHOWN_ID_CHARACTERS: Final = 6
_TOLD_BY_TURN: Final = re.compile(r"\b(?:turn apologised for|answer cut|stage failed)\b")
_RELOADED: Final = re.compile(r"\bcatalogue swapped\b.*?\brevision\b\W{1,4}(\d+)")
_RELOADED_JSON: Final = re.compile(r'"revision": (\d+).*"catalogue swapped"')


def turn_line(told: str, now: datetime) -> Text | None:
    """Return a turn as a front told it, in one line; None for what is no turn.

    What a user said may hold anything, and is shown as printable text of bounded length.
    """
    try:
        turn = json.loads(told)
        outcome, turn_id = str(turn["outcome"]), str(turn["turn"])[:SHOWN_ID_CHARACTERS]
    except (ValueError, KeyError, TypeError):
        return None
    said = f' "{printable(turn.get("said"))}"' if turn.get("said") else ""
    instances = "".join(f" {printable(each)}" for each in turn.get("instances") or ())
    text = Text().append(f"{now:%H:%M:%S} ", style="dim")
    text.append(printable(turn.get("device")), style="bold")
    text.append(said)
    text.append(f" {outcome}{_after(turn)}", style="green" if outcome == "answered" else "yellow")
    text.append(f"{instances} turn {turn_id}", style="dim")
    if outcome in {"apologised", "cut"}:
        reason = printable(turn.get("reason"), longest=3 * SHOWN_CHARACTERS)
        text.append(f": {reason}; dispatcher why {turn_id}", style="yellow")
    return text


def is_told_by_turn(line: str) -> bool:
    """Return whether a warning says no more than the line of its turn does, which names the reason too."""
    return bool(_TOLD_BY_TURN.search(line))


def reloaded_revision(line: str) -> str:
    """Return the revision that a process says to go by from now on; empty for any other line."""
    match = _RELOADED.search(line) or _RELOADED_JSON.search(line)
    return match[1] if match else ""


def printable(value: Any, *, longest: int = SHOWN_CHARACTERS) -> str:
    """Return a value in one line, without signs that would steer a terminal, and not too long."""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in str(value or "")).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _after(turn: dict[str, Any]) -> str:
    first_ms = turn.get("first_audio_ms")
    return f" after {first_ms:.0f} ms" if isinstance(first_ms, (int, float)) else ""
