"""What the operator sees: a live table while things start, then the lines that matter."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from dispatcher.supervisor.process_logs import Level
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import Part
from dispatcher.supervisor.screen_lines import is_told_by_turn, news_lines, reloaded_revision, turn_line
from dispatcher.supervisor.table import process_table

_COLOURS: Final = ("cyan", "magenta", "blue", "green", "bright_cyan", "bright_magenta", "bright_blue")
_LEVEL_STYLES: Final[dict[Level, str]] = {"info": "", "warning": "yellow", "error": "red"}


class TerminalUi:
    """Prints what happens; on a terminal it shows a live table until everything has started."""

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self._console = console
        self._verbose = verbose
        self._keepers: Sequence[ProcessRunner] = ()
        self._spinner = Spinner("dots")
        self._live: Live | None = None
        self._starting = True
        self._revision = ""

    @property
    def is_terminal(self) -> bool:
        """Whether an operator looks at it: what users say is shown to nobody else."""
        return self._console.is_terminal

    def open(self, keepers: Sequence[ProcessRunner]) -> None:
        """Begin to show these parts."""
        self._keepers = keepers
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def refresh(self) -> None:
        """Draw the live table anew, while there is one."""
        if self._live is not None:
            frame = self._spinner.render(self._console.get_time())
            table = process_table(self._keepers, spinner=str(frame))
            self._live.update(table, refresh=True)

    def end_start(self, closing_lines: Sequence[str]) -> None:
        """Print the table once more to stay, and the closing lines below it."""
        self._stop_live()
        self._starting = False
        with suppress(OSError):
            self._console.print(process_table(self._keepers))
            self._console.print("", *closing_lines, sep="\n", markup=False, soft_wrap=True)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._stop_live()

    def say(self, text: str, level: Level = "info") -> None:
        """Print a line of the supervisor's own."""
        with suppress(OSError):  # output that goes to a file on a full disk must not end what runs
            self._console.print(Text(text, style=_LEVEL_STYLES[level]), soft_wrap=True)

    def part_changed(self, keeper: ProcessRunner) -> None:
        """Show a new state: in the table on a terminal, as a line without one."""
        if self._live is None and self._starting and keeper.state == "ready":
            where = f", {keeper.part.address}" if keeper.part.address else ""
            self.say(
                f"{keeper.part.name} is ready after {keeper.took_s or 0:.1f} s (pid {keeper.pid}{where})"
            )
        self.refresh()

    def part_event(self, part: Part, text: str, level: Level) -> None:
        """Print what happened to a part."""
        self.say(f"{part.name} {text}", level)

    def part_output(self, part: Part, line: str, level: Level, is_summary: bool) -> None:  # noqa: FBT001
        """Print a line of a part, when it is worth it: a warning, an error, the summary of a turn, or all."""
        if part.role == "front":
            self._say_reload(line)
        is_news = is_summary or (level == "warning" and not is_told_by_turn(line)) or level == "error"
        if is_news and not (self._verbose or self._starting) and self._say_news(line, level):
            return
        if self._verbose or (not self._starting and is_news):
            prefix = Text(f"{part.name:<8} ", style=self._colour(part))
            with suppress(OSError):
                self._console.print(prefix + Text.from_ansi(line, style=_LEVEL_STYLES[level]), soft_wrap=True)

    def turn_ended(self, told: str) -> None:
        """Print a turn in one line for people; what a machine reads stands in the front's log file."""
        if not self._starting and (line := turn_line(told, datetime.now().astimezone())):
            with suppress(OSError):
                self._console.print(line, soft_wrap=True)

    def _say_news(self, line: str, level: Level) -> bool:
        """Say a warning in words for people; return whether there are any for it."""
        told = news_lines(line, datetime.now().astimezone())
        if told:
            self.say("\n".join(told), level)
        return bool(told)

    def _say_reload(self, line: str) -> None:
        """Say once that a changed YAML is in force; each process tells it."""
        revision = reloaded_revision(line)
        if revision and revision != self._revision and not self._starting:
            self._revision = revision
            now = datetime.now().astimezone()
            self.say(f"{now:%H:%M:%S} the YAML was reloaded: revision {revision} is in force")

    def _colour(self, part: Part) -> str:
        names = [keeper.part.name for keeper in self._keepers]
        return _COLOURS[names.index(part.name) % len(_COLOURS)] if part.name in names else ""

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
