"""Views of the tuner for `dispatcher tuner`: its experiments as a table, its state in lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.control.rules.tuner_state import Event, TunerState
from dispatcher.control.tuner_store import LoggedExperiment
from dispatcher.messages import TunerMode
from dispatcher.terminal.console import duration
from dispatcher.terminal.tables import Column, table_of

EVENT_STYLES: Final[dict[Event, str]] = {
    "tried": "yellow",
    "kept": "green",
    "undone": "magenta",
    "reversed": "cyan",
    "done": "green",
    "refused": "red",
    "observed": "dim",
}
WORDS: Final[dict[Event, str]] = {"tried": "pending", "observed": "would try"}
_COLUMNS: Final[tuple[Column[LoggedExperiment], ...]] = (
    Column("no.", lambda each: str(each.first.number)),
    Column("when", lambda each: f"{datetime.fromtimestamp(each.first.at_s).astimezone():%m-%d %H:%M:%S}"),
    Column("rule", lambda each: each.first.cause),
    Column("evidence", lambda each: each.first.evidence, folds=True),
    Column("action", lambda each: each.first.action.in_words(), folds=True),
    Column("why", lambda each: each.first.why, folds=True),
    Column(
        "state",
        lambda each: Text(
            WORDS.get(each.latest.event, each.latest.event), style=EVENT_STYLES[each.latest.event]
        ),
    ),
    Column("verdict", lambda each: each.latest.verdict, folds=True),
)


def log_table(experiments: Sequence[LoggedExperiment]) -> Table:
    """Return the experiments as a table, oldest first."""
    return table_of(experiments, _COLUMNS)


def status_lines(
    state: TunerState, overrides: RuntimeOverrides, *, configured: TunerMode, now: float
) -> list[str]:
    """Return what an operator wants to know first, a line each."""
    mode = overrides.tuner_mode or configured
    chosen = f", chosen over {configured} of the YAML" if overrides.tuner_mode else ""
    lines = [f"mode          {mode}{chosen}", f"samples       {len(state.history)}"]
    if state.pending is not None:
        pending = state.pending
        lines.append(f"pending       {pending.number}: {pending.action.in_words()} ({pending.why})")
    lines += [f"in force      {each.number}: {each.action.in_words()} ({each.cause})" for each in state.kept]
    lines += [
        f"left alone    {rest.key}, for another {duration(rest.until_s - now)}"
        for rest in state.cool_downs
        if rest.until_s > now
    ]
    return [*lines, *(f"not available {what}: {why}" for what, why in state.missing)]
