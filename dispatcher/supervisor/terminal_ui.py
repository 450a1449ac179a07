"""Terminal UI of `dispatcher up`: a live table while processes start, then the lines that matter."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from dispatcher.supervisor.process_output import Level
from dispatcher.supervisor.process_runner import ProcessRunner
from dispatcher.supervisor.process_spec import ProcessSpec
from dispatcher.supervisor.process_table import process_table
from dispatcher.supervisor.ui_messages import OutputFilter, turn_line

_COLOURS: Final = ("cyan", "magenta", "blue", "green", "bright_cyan", "bright_magenta", "bright_blue")
_LEVEL_STYLES: Final[dict[Level, str]] = {"info": "", "warning": "yellow", "error": "red"}


class TerminalUi:
    """Prints what happens; on a terminal it shows a live table until everything has started."""

    def __init__(self, console: Console, *, verbose: bool, redis_address: str) -> None:
        self._console = console
        self._filter = OutputFilter(verbose=verbose, redis_address=redis_address)
        self._runners: Sequence[ProcessRunner] = ()
        self._spinner = Spinner("dots")
        self._live: Live | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether an operator looks at it: what users say is shown nowhere else."""
        return self._console.is_terminal

    def open(self, runners: Sequence[ProcessRunner]) -> None:
        """Begin to show these processes."""
        self._runners = runners
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def refresh(self) -> bool:
        """Draw the live table anew; return whether there is one: on a terminal, until all has started."""
        if self._live is not None:
            frame = self._spinner.render(self._console.get_time())
            self._live.update(process_table(self._runners, spinner=str(frame)), refresh=True)
        return self._live is not None

    def end_start(self, banner: Sequence[str]) -> None:
        """Print the table once more to stay, and the banner below it."""
        self.close()
        self._filter.is_starting = False
        self._print(process_table(self._runners))
        self._print(Text("\n".join(["", *banner])))

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def say(self, text: str, level: Level = "info") -> None:
        """Print a line of the supervisor's own."""
        self._print(Text(text, style=_LEVEL_STYLES[level]))

    def show_change(self, runner: ProcessRunner) -> None:
        """Show a new state: in the table on a terminal, as a line without one."""
        if self._live is None and self._filter.is_starting and runner.state == "ready":
            where = f", {runner.spec.address}" if runner.spec.address else ""
            took_s = runner.lifecycle.before_lasted_s
            self.say(f"{runner.spec.name} is ready after {took_s:.1f} s (pid {runner.pid}{where})")
        self.refresh()

    def show_event(self, spec: ProcessSpec, text: str, level: Level) -> None:
        """Print what happened to a process."""
        self.say(f"{spec.name} {text}", level)

    def show_output(self, spec: ProcessSpec, line: str, level: Level, is_summary: bool) -> None:  # noqa: FBT001
        """Print what is worth it of a line that a process printed."""
        shown = self._filter.shown_of(spec.role, line, level, is_summary=is_summary, now=_now())
        if shown.message:
            self.say(shown.message, level)
        if shown.is_raw:
            names = [runner.spec.name for runner in self._runners]
            colour = _COLOURS[names.index(spec.name) % len(_COLOURS)] if spec.name in names else ""
            prefix = Text(f"{spec.name:<8} ", style=colour)
            self._print(prefix + Text.from_ansi(line, style=_LEVEL_STYLES[level]))

    def show_turn(self, sent: str) -> None:
        """Print a turn in one line for people; its fields stand in the front's log file."""
        if not self._filter.is_starting and (line := turn_line(sent, _now())):
            self._print(line)

    def _print(self, view: RenderableType) -> None:
        with suppress(OSError):  # output that goes to a file on a full disk must not end what runs
            self._console.print(view, soft_wrap=isinstance(view, Text))


def _now() -> datetime:
    return datetime.now().astimezone()
