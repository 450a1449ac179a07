"""Messages of `make run` for people: a turn, a reload, a refused YAML, an alert, an instance."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rich.text import Text

from dispatcher.messages import FAILED_OUTCOMES
from dispatcher.supervisor.process_output import Level
from dispatcher.supervisor.process_spec import Role
from dispatcher.telemetry.kpi_table import label_of, value_text

SHOWN_CHARACTERS: Final = 60
SHOWN_ID_CHARACTERS: Final = 6
_REPEATS_TURN: Final = re.compile(r"\b(?:turn apologised for|turn turned away|answer cut|stage failed)\b")
_RELOADED: Final = re.compile(r"\bcatalogue swapped\b.*?\brevision\b\W{1,4}(\d+)")
_RELOADED_JSON: Final = re.compile(r'"revision": (\d+).*"catalogue swapped"')
LONGEST_NEWS: Final = 400
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_EVENT: Final = re.compile(r"\[warning\s*\] (.+?)\s+(?=\w+=)")
_FIELD: Final = re.compile(r"""(\w+)=(\[.*\]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S*)""")
_QUEUE_NEWS: Final = {
    "queue has no worker left, taken over": "queue {queue} has no worker; another worker takes its tasks",
    "pool keeps its size until a restart or `celery control pool_grow`": (
        "the {queue} worker has room for {sized_for} calls at once, the YAML allows {slots}: "
        "`dispatcher restart {queue}`"
    ),
}
_REFUSED: Final = "catalogue refused"
_REDIS_LOST: Final = re.compile(r"\bconsumer: Connection to broker lost\b")
# Advice of Valkey at each of its starts; its log file has it.
_HIDDEN: Final = re.compile(r"\bMemory overcommit must be enabled\b")
# Lines of trouble with Redis that are further apart belong to two outages.
OUTAGE_GAP: Final = timedelta(seconds=30)
_CHANGED: Final = re.compile(r"instance (up|down|failing|ejected|recovered|not configured|not ready)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How much of a line of output is shown: a message in its place, itself, or nothing."""

    message: str = ""
    is_raw: bool = False


class OutputFilter:
    """Chooses what an operator sees of the output of processes.

    Attributes:
        is_starting: while everything starts, the table says enough.
    """

    def __init__(self, *, verbose: bool, redis_address: str) -> None:
        """Show all lines as they are where that is wanted.

        Args:
            verbose: all lines.
            redis_address: host and port; while it is unreachable every process warns of it again and again.
        """
        self.is_starting = True
        self._verbose = verbose
        self._redis_address = redis_address
        self._redis_lost_at: datetime | None = None
        self._revision = ""

    def shown_of(self, role: Role, line: str, level: Level, *, is_summary: bool, now: datetime) -> Shown:
        """Return what to show of a line: warnings, errors and summaries, each in words where it has some.

        Args:
            role: of the process that printed it; a reload is shown once, as a front logs it.
            line: as it was printed.
            level: of the line.
            is_summary: it is the summary of a turn.
            now: local time.
        """
        reload = self._reload_message(line, now) if role == "front" else ""
        is_news = is_summary or level == "error" or (level == "warning" and not repeats_turn(line))
        if self._verbose or self.is_starting or not is_news:
            return Shown(message=reload, is_raw=self._verbose)
        if _HIDDEN.search(line):
            return Shown()
        if self._redis_address in line or _REDIS_LOST.search(line):
            return Shown(message=self._redis_message(now))
        news = news_lines(line, now)
        return Shown(message="\n".join(news) or reload, is_raw=not news)

    def _redis_message(self, now: datetime) -> str:
        """Return one message for an outage, however many lines it has."""
        before, self._redis_lost_at = self._redis_lost_at, now
        if before is not None and now - before < OUTAGE_GAP:
            return ""
        return f"{now:%H:%M:%S} Redis at {self._redis_address} is unreachable; all processes connect again"

    def _reload_message(self, line: str, now: datetime) -> str:
        revision = reloaded_revision(line)
        if not revision or revision == self._revision or self.is_starting:
            return ""
        self._revision = revision
        return f"{now:%H:%M:%S} the YAML was reloaded: revision {revision} is in force"


def turn_line(sent: str, now: datetime) -> Text | None:
    """Return a turn that a front sent, in one line; None for what is no turn.

    What a user said may hold anything, and is shown as printable text of bounded length.
    """
    try:
        turn = json.loads(sent)
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
    if outcome in FAILED_OUTCOMES:
        reason = printable(turn.get("reason"), longest=3 * SHOWN_CHARACTERS)
        text.append(f": {reason}; dispatcher why {turn_id}", style="yellow")
    return text


def repeats_turn(line: str) -> bool:
    """Return whether a warning says no more than the line of its turn does, which names the reason too."""
    return bool(_REPEATS_TURN.search(line))


def reloaded_revision(line: str) -> str:
    """Return the revision that a process says to go by from now on; empty for any other line."""
    match = _RELOADED.search(line) or _RELOADED_JSON.search(line)
    return match[1] if match else ""


def news_lines(line: str, now: datetime) -> list[str]:
    """Return a warning in words for people; nothing for one that has none of its own."""
    event, fields = _read_event(line)
    time = f"{now:%H:%M:%S}"
    changed = _CHANGED.fullmatch(event)
    if event.startswith(_REFUSED) and isinstance(problems := fields.get("problems"), list):
        reasons = (f"  {printable(problem, longest=LONGEST_NEWS)}" for problem in problems)
        return [f"{time} the YAML was refused, what is active stays:", *reasons]
    if queue_news := _QUEUE_NEWS.get(event):
        known = {key: printable(fields.get(key)) for key in ("queue", "sized_for", "slots")}
        return [f"{time} {queue_news.format_map(known)}"]
    if event == "alert firing":
        return [f"{time} {_alert_message(fields)}"]
    if changed and fields.get("instance"):
        reason = printable(fields.get("reason"), longest=LONGEST_NEWS)
        state = "has recovered" if changed[1] == "recovered" else f"is {changed[1]}"
        return [f"{time} {printable(fields['instance'])} {state}" + (f": {reason}" if reason else "")]
    return []


def printable(value: Any, *, longest: int = SHOWN_CHARACTERS) -> str:
    """Return a value in one line, without signs that would steer a terminal, and not too long."""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in str(value or "")).split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _after(turn: dict[str, Any]) -> str:
    first_ms = turn.get("first_audio_ms")
    return f" after {first_ms:.0f} ms" if isinstance(first_ms, (int, float)) else ""


def _alert_message(fields: dict[str, Any]) -> str:
    label = printable(label_of(str(fields.get("name"))))
    unit = fields.get("unit")
    value, bound = (_measured(fields.get(key), unit) for key in ("value", "bound"))
    detail = printable(fields.get("detail"), longest=LONGEST_NEWS)
    return f"alert: {label} at {value}, allowed {bound}" + (f" ({detail})" if detail else "")


def _measured(value: Any, unit: Any) -> str:
    try:
        return value_text(float(value), unit)
    except (TypeError, ValueError):
        return printable(value)


def _read_event(line: str) -> tuple[str, dict[str, Any]]:
    """Return the event of a log line with its fields, from both forms of log."""
    plain = _ANSI.sub("", line)
    if plain.startswith("{"):
        try:
            fields = json.loads(plain)
            return str(fields.pop("event")), fields
        except (ValueError, KeyError):
            return "", {}
    match = _EVENT.search(plain)
    if match is None:
        return "", {}
    return match[1], {key: _unquoted(value) for key, value in _FIELD.findall(plain[match.end() :])}


def _unquoted(value: str) -> Any:
    if not value.startswith(("'", '"', "[")):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value
