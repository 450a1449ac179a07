"""A real Flower over a broker of a test, and what it answers."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from dispatcher.supervisor.flower_environment import USER, what_is_missing
from dispatcher.supervisor.operator_password import PASSWORD_FILE
from tests.support.broker import give_up
from tests.support.processes import BIN, Process, free_port
from tests.support.stack import Stack
from tests.support.waiting import eventually

# Long enough to look at a page without being forgotten in the middle of it, even on a busy machine.
IDLE_S: Final = 4.0


class Flower(Process):
    """Flower in its own environment; without that the test is skipped, in CI it fails."""

    def __init__(self, folder: Path, *, environ: Mapping[str, str], idle_s: float = IDLE_S) -> None:
        """Choose a port; nothing is started yet."""
        missing = what_is_missing()
        if missing:
            give_up(f"Flower cannot run: {missing}")
        self.port = free_port()
        self.data_dir = folder / "flower"
        own = {"FLOWER_PORT": str(self.port), "FLOWER_IDLE_S": str(idle_s), "DATA_DIR": str(self.data_dir)}
        command = [str(BIN / "dispatcher"), "flower"]
        super().__init__("flower", command, folder=folder, environ={**environ, **own})

    @property
    def url(self) -> str:
        """Where a browser opens it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password_file(self) -> Path:
        """Where it keeps the password that was made."""
        return self.data_dir / PASSWORD_FILE

    @property
    def password(self) -> str:
        """The password that was made at its first start."""
        return self.password_file.read_text().strip()

    def start(self) -> None:
        """Start it and wait until it answers."""
        super().start()
        eventually(self._answers, what="an answer of Flower")

    def get(self, path: str) -> str:
        """Return a page, as whoever knows the password gets it."""
        status, text = self.ask(path, password=self.password)
        assert status == 200, f"{path}: {status} {text}"
        return text

    def tasks(self) -> list[dict[str, Any]]:
        """Return the tasks that it knows."""
        return list(json.loads(self.get("/api/tasks")).values())

    def ask(self, path: str, *, password: str | None = None, method: str = "GET") -> tuple[int, str]:
        """Return status and text of an answer; no password is sent when there is none."""
        request = Request(self.url + path, method=method)
        if password is not None:
            said = base64.b64encode(f"{USER}:{password}".encode()).decode()
            request.add_header("Authorization", f"Basic {said}")
        try:
            with urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def _answers(self) -> bool:
        assert self.runs, self.output()
        try:
            return self.ask("/healthcheck") == (200, "OK")
        except (URLError, OSError):
            return False


class EventSwitch:
    """What the workers of a stack say when they are told to send task events, or to stop."""

    def __init__(self, stack: Stack) -> None:
        """Remember what they said so far."""
        self._workers = list(stack.workers.values())
        self._known = [worker.printed_bytes() for worker in self._workers]

    def is_turned(self, word: str) -> None:
        """Wait until every worker has said "enabled" or "disabled", after what was waited for before."""
        text = f"Events of group {{task}} {word}"
        for index, worker in enumerate(self._workers):
            known = self._known[index]
            eventually(lambda w=worker, k=known: text in w.output(k), what=f"{text!r} of {worker.name}")  # type: ignore[misc]
            before, _, _ = worker.output(known).partition(text)
            self._known[index] = known + len(f"{before}{text}".encode())
