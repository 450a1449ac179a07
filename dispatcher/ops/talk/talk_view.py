"""View of `dispatcher talk`: the turn as it happens, and its times as a small waterfall."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from dispatcher.device_simulator import TurnEvent, TurnResult

BAR_CHARACTERS: Final = 40
_LABEL_WIDTH: Final = 10
_STYLES: Final = {"transcript": "cyan", "emotion": "magenta", "tool": "yellow", "sentence": "green"}
_LABELS: Final = {"transcript": "you", "emotion": "feels", "tool": "does", "sentence": "answer"}


class TalkView:
    """Prints one turn; colours and the moving bar only on a terminal."""

    def __init__(self, console: Console) -> None:
        """Print to this console."""
        self._console = console

    def on_event(self, event: TurnEvent) -> None:
        """Print what the user would notice at the device."""
        label = _LABELS.get(event.kind)
        if label is None or not event.text:
            return
        style = _STYLES[event.kind]
        self._console.print(
            f"[dim]{event.at_ms:7.0f} ms[/]  [{style}]{label:<{_LABEL_WIDTH}}[/]{escape(event.text)}",
            soft_wrap=True,
            highlight=False,
        )

    def say(self, line: str) -> None:
        """Print a line about the connection."""
        self._console.print(line, soft_wrap=True, highlight=False)

    async def watch(
        self, speech: AsyncGenerator[bytes], *, what: str, frame_ms: int, frames: int | None
    ) -> AsyncGenerator[bytes]:
        """Pass the packets on and move a bar along.

        Args:
            speech: what is said.
            what: its name.
            frame_ms: length of a packet.
            frames: packets to come; None for a microphone, which has no end.
        """
        bar = Progress(
            TextColumn("speaking {task.description}"),
            BarColumn(BAR_CHARACTERS),
            TextColumn("{task.fields[spoken]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        with bar:
            task = bar.add_task(escape(what), total=frames, spoken="0.0 s")
            async with aclosing(speech):
                async for packet in speech:
                    done = bar.tasks[0].completed + 1
                    bar.update(task, advance=1, spoken=f"{done * frame_ms / 1000:.1f} s")
                    yield packet

    def summarise(self, result: TurnResult) -> None:
        """Print the waterfall, and what went wrong with the sound."""
        self._console.print(_waterfall(result))
        complaint = _complaint(result)
        if complaint:
            self._console.print(f"[yellow]{complaint}[/]", soft_wrap=True, highlight=False)


def _waterfall(result: TurnResult) -> Table:
    table = Table(box=None, pad_edge=False, title="ms after the end of speech", title_justify="left")
    table.add_column("")
    table.add_column("ms", justify="right")
    table.add_column("")
    first_sentence_ms = result.sentences[0].at_ms if result.sentences else None
    rows = {
        "transcript": result.transcript_ms,
        "first sentence": first_sentence_ms,
        "first audio": result.first_audio_ms,
        "end": result.end_ms,
    }
    for name, at_ms in rows.items():
        shown = "–" if at_ms is None else f"{at_ms:.0f}"
        table.add_row(name, shown, _bar(at_ms, result.end_ms))
    return table


def _bar(at_ms: float | None, end_ms: float) -> Text:
    if at_ms is None or end_ms <= 0:
        return Text("")
    filled = max(1, round(at_ms / end_ms * BAR_CHARACTERS))
    return Text("━" * filled, style="cyan")


def _complaint(result: TurnResult) -> str:
    parts = [
        f"{result.gaps} gaps of {result.gap_ms:.0f} ms in all" if result.gaps else "",
        f"{result.dropped} frames dropped by a full queue" if result.dropped else "",
        f"{result.refused} frames came while the device was not speaking" if result.refused else "",
        f"{result.unplayed} frames were cut off by tts stop" if result.unplayed else "",
    ]
    said = [part for part in parts if part]
    return f"heard with faults: {', '.join(said)}" if said else ""
