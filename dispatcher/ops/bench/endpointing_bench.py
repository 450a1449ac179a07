"""Bench of endpointing: how often each strategy cuts a speaker off, and how long it waits after the end.

The method is that of eot-bench: turns of real speech are fed as they would come, a decision in a pause before
the true end is a false cut-off, and the wait is from the true end to the decision.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Final

import click
import numpy as np
from rich.table import Table

from dispatcher.audio.smart_turn import SmartTurn, find_model
from dispatcher.audio.vad import VAD_RATE_HZ
from dispatcher.catalogue.conversation import Conversation, Endpointing
from dispatcher.dialogue.endpointing import Endpointer, EndpointRules, endpoint_rules
from dispatcher.ops.bench.bench_tables import json_option
from dispatcher.ops.bench.spoken_turns import (
    PLACES,
    Place,
    SpokenTurn,
    find_folders,
    heard_until,
    spoken_turns,
)
from dispatcher.percentile import percentile
from dispatcher.settings import load_settings
from dispatcher.terminal.console import make_console
from dispatcher.terminal.figures import write_results

SILENCES_MS: Final = (300, 400, 500, 600, 700, 900, 1200, 1500)
SMART: Final = endpoint_rules(Conversation(endpointing=Endpointing(strategy="smart_turn")))
STRATEGIES: Final[Mapping[str, EndpointRules]] = {
    **{f"silence {silence_ms} ms": EndpointRules(silence_ms=silence_ms) for silence_ms in SILENCES_MS},
    "smart_turn": SMART,
    "smart_turn, no longer pause": replace(SMART, unfinished_silence_ms=SMART.silence_ms),
    "smart_turn, where it is sure (0.97)": replace(SMART, finished_probability=0.97),
}
GOAL_WAIT_MS: Final = 350
# A judgement is there so long after its pause was noticed: its CPU, and half a packet of the device.
ANSWER_MS: Final = 96


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointingResult:
    """Result of a strategy over all turns.

    Attributes:
        cut_off: share of the turns with a decision before their end, 0..1.
        cut_off_at: the same for the turns with a pause at each place.
        waits_ms: of all turns, from the true end to the decision after it.
    """

    cut_off: float
    cut_off_at: Mapping[Place, float]
    waits_ms: tuple[float, ...]

    @property
    def wait_ms(self) -> float:
        """Mean wait."""
        return fmean(self.waits_ms)


@dataclass(slots=True)
class SentenceJudge:
    """The model, which judges each moment of a turn once.

    Attributes:
        judged: judgements that were made.
        cpu_s: CPU time of them all.
    """

    finished: Callable[[bytes, int], float]
    judged: int = 0
    cpu_s: float = 0.0
    _known: dict[tuple[SpokenTurn, int], float] = field(default_factory=dict)

    def judge(self, turn: SpokenTurn, window: int) -> float:
        """Return how likely the sentence is finished at that window."""
        key = (turn, window)
        if key not in self._known:
            begun_s = time.thread_time()
            self._known[key] = self.finished(heard_until(turn, window), VAD_RATE_HZ)
            self.cpu_s += time.thread_time() - begun_s
            self.judged += 1
        return self._known[key]


@click.command("endpointing", short_help="Measure how each strategy finds the end of speech.")
@click.option(
    "--recordings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the recordings; else those of the packages.",
)
@json_option
def endpointing(*, recordings: Path | None, json_file: Path | None) -> None:
    """Measure false cut-offs and the wait after the true end of speech, for each strategy.

    It takes the recordings of Debian's pocketsphinx-testdata and of the package f5-tts, and the model of
    smart_turn. Exit code 1: smart_turn does not reach its goal.
    """
    console = make_console()
    settings = load_settings()
    turns = list(spoken_turns(find_folders(recordings)))
    judge = SentenceJudge(
        SmartTurn(find_model(settings.smart_turn_model, data_dir=settings.data_dir)).finished
    )
    results = {name: run_strategy(rules, turns, judge) for name, rules in STRATEGIES.items()}
    table = endpointing_table(results)
    console.print(table)
    write_results(json_file, {"": table})
    recordings_taken = len({turn.recording for turn in turns})
    cpu_ms = judge.cpu_s / max(judge.judged, 1) * 1000
    counts = f"{len(turns)} turns of {recordings_taken} recordings; {judge.judged} judgements"
    console.print(f"{counts} of {cpu_ms:.0f} ms of CPU", highlight=False)
    text, reached = goal(results)
    console.print(text, highlight=False)
    raise SystemExit(0 if reached else 1)


def run_strategy(
    rules: EndpointRules, turns: Sequence[SpokenTurn], judge: SentenceJudge
) -> EndpointingResult:
    """Return how a strategy does on the turns."""
    ended = [(turn, _ends(rules, turn, judge)) for turn in turns]
    cut = [(turn.place, any(end < turn.end_window for end in ends)) for turn, ends in ended]
    waits = [
        (next((end for end in ends if end >= turn.end_window), len(turn.probabilities)) - turn.end_window + 1)
        for turn, ends in ended
    ]
    at_places = {place: [each for at, each in cut if at == place] for place in PLACES}
    return EndpointingResult(
        cut_off=fmean(each for _, each in cut),
        cut_off_at={place: fmean(each) for place, each in at_places.items() if each},
        waits_ms=tuple(wait * rules.window_ms for wait in waits),
    )


def _ends(rules: EndpointRules, turn: SpokenTurn, judge: SentenceJudge) -> list[int]:
    """Return the windows at which an utterance ended; after a cut-off the rest is one more."""
    endpointer, ends = Endpointer(rules), []
    answers: dict[int, tuple[int, float]] = {}
    for at, probability in enumerate(turn.probabilities):
        if at in answers:
            endpointer.judge(*answers[at])
        event = endpointer.feed(probability)
        if event == "utterance_ended":
            ends.append(at)
        elif event == "paused" and endpointer.pause is not None:
            answers[at + ANSWER_MS // rules.window_ms] = (endpointer.pause, judge.judge(turn, at))
    return ends


def goal(results: Mapping[str, EndpointingResult]) -> tuple[str, bool]:
    """Return how smart_turn stands against silence of any length, and whether that is its goal."""
    smart = results["smart_turn"]
    silences = [result for name, result in results.items() if name.startswith("silence")]
    waits = [each.wait_ms for each in silences]
    cuts = [each.cut_off for each in silences]
    as_slow = float(np.interp(smart.wait_ms, waits, cuts))
    # Longer silences cut off less, so the curve is read from its end.
    as_rude = float(np.interp(smart.cut_off, cuts[::-1], waits[::-1]))
    fewer = smart.cut_off <= as_slow / 2
    sooner = smart.wait_ms <= GOAL_WAIT_MS and smart.cut_off <= results["silence 700 ms"].cut_off
    text = (
        f"smart_turn cuts {smart.cut_off:.1%} off at a mean wait of {smart.wait_ms:.0f} ms; silence cuts "
        f"{as_slow:.1%} off at that wait (goal: twice as many), and waits {as_rude:.0f} ms for as few: "
        f"goal {'reached' if fewer or sooner else 'not reached'}"
    )
    return text, fewer or sooner


def endpointing_table(results: Mapping[str, EndpointingResult]) -> Table:
    """Return a row for each strategy."""
    table = Table("strategy", "cut off", *PLACES, "mean wait", "p50", "p95")
    for name, result in results.items():
        places = (f"{result.cut_off_at.get(place, 0):.0%}" for place in PLACES)
        spread = (f"{percentile(result.waits_ms, ratio) or 0:.0f}" for ratio in (0.5, 0.95))
        table.add_row(name, f"{result.cut_off:.1%}", *places, f"{result.wait_ms:.0f} ms", *spread)
    return table
