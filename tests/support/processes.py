"""Real processes on loopback: started, killed and started again by tests, with all that they print."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dispatcher.settings import Settings
from dispatcher.supervisor.ports import free_ports

ROOT: Final = Path(__file__).parents[2]
BIN: Final = Path(sys.executable).parent
STOP_S: Final = 60.0


def free_port() -> int:
    """Return a port that nothing listens on, and that no test was given before."""
    return free_ports(1)[0]


def own_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without settings of a deployment, and with those given."""
    settings = {name.upper() for name in Settings.model_fields}
    ours = {name: value for name, value in os.environ.items() if name not in settings}
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**ours, "PATH": path, "PYTHONUNBUFFERED": "1", **given}


class Process:
    """One command that a test starts, as often as it likes."""

    def __init__(
        self, name: str, command: Sequence[str], *, folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        """Remember the command; its output goes to a file in the folder."""
        self.name = name
        self.command = list(command)
        self.environ = dict(environ or {})
        self.log = folder / f"{name}.log"
        self.log.touch()
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the latest start."""
        assert self._running is not None, f"{self.name} was never started"
        return self._running.pid

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        """Start it, now or again."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=own_environment(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def send_signal(self, which: signal.Signals) -> None:
        """Send it a signal."""
        assert self._running is not None, f"{self.name} was never started"
        self._running.send_signal(which)

    def ends(self, within_s: float = STOP_S) -> int:
        """Wait for its end and return the exit code."""
        assert self._running is not None, f"{self.name} was never started"
        return self._running.wait(within_s)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        if self.runs:
            self.send_signal(signal.SIGKILL)
            self.ends()

    def stop(self) -> None:
        """End it with SIGTERM, and with SIGKILL when it does not obey."""
        if not self.runs:
            return
        self.send_signal(signal.SIGTERM)
        try:
            self.ends()
        except subprocess.TimeoutExpired:
            self.kill()

    def output(self, since_byte: int = 0) -> str:
        """Return what it has printed, from a place in the log on."""
        return self.log.read_bytes()[since_byte:].decode("utf-8", "replace")

    def printed_bytes(self) -> int:
        """Return the place in the log where it prints next."""
        return self.log.stat().st_size


def stop_all(processes: Sequence[Process]) -> None:
    """Stop processes together: all are told first, then each is waited for."""
    for process in processes:
        if process.runs:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        process.stop()
