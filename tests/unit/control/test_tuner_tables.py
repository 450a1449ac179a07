from __future__ import annotations

from dataclasses import replace
from io import StringIO

from rich.console import Console

from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.control.rules.actions import Action, Change
from dispatcher.control.rules.evidence import Measures
from dispatcher.control.rules.experiment import TunerExperiment
from dispatcher.control.rules.tuner_state import CoolDown, TunerDecision, TunerState
from dispatcher.control.tuner_store import LoggedExperiment
from dispatcher.control.tuner_tables import log_table, status_lines

ACTION = Action(kind="cap", target="llm/a", changes=(Change(what="llm/a", before=None, after=4),))
TRIED = TunerDecision(
    number=3,
    at_s=0.0,
    event="tried",
    cause="errors",
    action=ACTION,
    why="a failed 40% of its calls",
    evidence="errors 20.0% over 5.0%, 3 samples",
)
IN_FORCE = TunerExperiment(
    number=3, begun_at_s=0.0, cause="errors", action=ACTION, why="a fails", before=Measures()
)


def printed(*rows: LoggedExperiment) -> str:
    text = StringIO()
    Console(width=240, file=text).print(log_table(rows))
    return text.getvalue()


def test_the_log_shows_the_evidence_the_action_and_what_came_of_it() -> None:
    kept = replace(TRIED, event="kept", verdict="errors 20.0% → 0.0%")
    text = printed(LoggedExperiment(first=TRIED, latest=kept))
    for words in ("errors 20.0% over 5.0%", "cap llm/a: as configured → 4", "kept", "errors 20.0% → 0.0%"):
        assert words in text


def test_what_waits_for_its_verdict_is_pending_and_what_was_observed_would_be_tried() -> None:
    assert "pending" in printed(LoggedExperiment(first=TRIED, latest=TRIED))
    observed = replace(TRIED, event="observed")
    assert "would try" in printed(LoggedExperiment(first=observed, latest=observed))


def test_the_status_tells_the_mode_what_is_kept_and_what_cannot_act() -> None:
    state = TunerState(
        pending=IN_FORCE,
        kept=(replace(IN_FORCE, number=2),),
        cool_downs=(CoolDown(key="pool llm", until_s=30.0), CoolDown(key="pool tts", until_s=1.0)),
        missing=(("records", "no records are kept here"),),
    )
    assert status_lines(state, RuntimeOverrides(tuner_mode="act"), configured="observe", now=10.0) == [
        "mode          act, chosen over observe of the YAML",
        "samples       0",
        "pending       3: cap llm/a: as configured → 4 (a fails)",
        "in force      2: cap llm/a: as configured → 4 (errors)",
        "left alone    pool llm, for another 20.0 s",
        "not available records: no records are kept here",
    ]
