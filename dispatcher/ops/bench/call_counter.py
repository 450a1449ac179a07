"""Calls into our own packages, counted in a process of ours.

`python -m dispatcher.ops.bench.call_counter SOCKET PROGRAM ARGUMENTS` runs a Python program under the
profiler of the interpreter, and sends the counts so far to each connection to the socket, as JSON.
A coroutine counts once: how often it goes on after a wait depends on how busy the machine is.
"""

from __future__ import annotations

import json
import runpy
import shutil
import socket
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

import dispatcher

# Both packages stand in one folder.
_OURS: Final = tuple(str(Path(dispatcher.__file__).parents[1] / name) for name in ("dispatcher", "workers"))


class CallCounter:
    """Counts of calls by function."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._counts: defaultdict[CodeType, int] = defaultdict(int)
        # The first event of a function is its beginning; one that goes on after a wait stands elsewhere.
        self._begins: dict[CodeType, int] = {}

    def start(self) -> None:
        """Count in this thread and in all that begin later."""
        threading.setprofile(self._on_event)
        sys.setprofile(self._on_event)

    def own_calls(self) -> dict[str, int]:
        """Return the counts of our own functions, by file and line."""
        counts = self._counts.copy().items()
        ours = {code: count for code, count in counts if code.co_filename.startswith(_OURS)}
        return {f"{code.co_filename}:{code.co_firstlineno}": count for code, count in ours.items()}

    def _on_event(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            code, at = frame.f_code, frame.f_lasti
            if self._begins.setdefault(code, at) == at:
                self._counts[code] += 1


def serve_counts(counter: CallCounter, path: str) -> None:
    """Answer each connection with the counts, in a thread that is not counted itself."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()

    def answer() -> None:
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(json.dumps(counter.own_calls()).encode())

    threading.Thread(target=answer, name="call counts", daemon=True).start()


def read_counts(path: Path) -> dict[str, int]:
    """Return the counts of a process that serves them at a socket."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(path))
        counts: dict[str, int] = json.loads(b"".join(iter(lambda: asking.recv(65_536), b"")))
    return counts


def main() -> None:
    """Run the program of the command line, and count."""
    path, program, *arguments = sys.argv[1:]
    sys.argv = [shutil.which(program) or program, *arguments]
    counter = CallCounter()
    serve_counts(counter, path)
    counter.start()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
