"""Explanation of a turn for `dispatcher why`: each call with its candidates, the reason and the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dispatcher.routing.decisions import Decision
from dispatcher.routing.rules.overload import OverloadStep
from dispatcher.telemetry.turn_log import TurnEnd


def why_view(found: Sequence[Decision], end: TurnEnd | None = None) -> RenderableType:
    """Return the turn's heading, a block for each call, oldest first, and its end where that is known.

    A turn that was turned away, or that no worker took, has an end alone.
    """
    if not found and end is not None:
        ended = datetime.fromtimestamp(end.ended_at_s).astimezone()
        heading = Text(f"turn {end.turn_id}, no calls, ended {ended:%Y-%m-%d %H:%M:%S %z}", style="bold")
        return Group(heading, _wait_text(end), _end_text(end))
    started_at_ms = found[0].at_ms
    began = datetime.fromtimestamp(started_at_ms / 1000).astimezone()
    calls = "1 call" if len(found) == 1 else f"{len(found)} calls"
    heading = Text(f"turn {found[0].turn_id}, {calls} from {began:%Y-%m-%d %H:%M:%S %z}", style="bold")
    blocks = [_block(decision, started_at_ms) for decision in found]
    return Group(heading, *blocks, *([_wait_text(end), _end_text(end)] if end else []))


def _wait_text(end: TurnEnd) -> Text:
    """Return how long the user waited for the first sound, from the true end of speech."""
    if end.first_audio_ms is None:
        return Text("nothing was heard")
    silence = f", of it {end.silence_ms:.0f} ms of silence before the turn began" if end.silence_ms else ""
    heard = f"heard {end.silence_ms + end.first_audio_ms:.0f} ms after the end of speech{silence}"
    if end.speculated_ms is not None:
        heard += f"; begun {end.speculated_ms:.0f} ms before that silence was over"
    return Text(heard)


def _end_text(end: TurnEnd) -> Text:
    """Return how the user found the turn to end, and why where that is not as it should be."""
    style = "green" if end.outcome == "answered" and not end.reason else "yellow"
    because = f", {end.reason}" if end.reason else ""
    cached = "" if end.cached_tokens is None else f", {end.cached_tokens} of them cached"
    prompt = f"; the prompt had {end.prompt_tokens} tokens{cached}" if end.prompt_tokens else ""
    spoken = f"; {end.cached_phrases} spoken from the phrase cache" if end.cached_phrases else ""
    step = OverloadStep(end.overload_step)
    given = f"; it began on overload step {step:d}, {step.words}" if step else ""
    return Text(f"the turn ended: {end.outcome}{because}{prompt}{spoken}{given}", style=style)


def _block(decision: Decision, started_at_ms: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True, min_width=10)
    grid.add_column(overflow="fold")
    grid.add_row(
        Text(f"+{decision.at_ms - started_at_ms} ms", style="dim"),
        Text.assemble(f"{decision.service} to ", (decision.instance, "bold"), ": ", outcome_text(decision)),
    )
    grid.add_row("because", Text(decision.reason))
    grid.add_row("among", Text(", ".join(decision.candidates)))
    return grid


def outcome_text(decision: Decision) -> Text:
    """Return how the call ended and after how long, or why that is not known."""
    if decision.end is None:
        if decision.held:
            return Text("under way", style="yellow")
        return Text("no end is known: its worker died, or it ends at this moment", style="red")
    after = f"after {decision.end.latency_ms:.0f} ms"
    because = f": {decision.end.reason}" if decision.end.reason else ""
    match decision.end.outcome:
        case "ok":
            return Text(f"ok {after}", style="green")
        case "failed":
            return Text(f"failed {after}{because}", style="red")
        case _:
            nobody = because or " (cancelled, or not the instance's fault)"
            return Text(f"ended without a verdict {after}{nobody}", style="dim")
