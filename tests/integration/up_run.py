"""A real `dispatcher up` on a small Procfile, with a folder and ports of its own."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.support.processes import BIN, Process, free_port
from tests.support.waiting import WAIT_TIMEOUT_S, eventually

# A part that answers 200 on its port and, when it is asked to stop, writes its name into `stops`.
STAND_IN = f"""#!{sys.executable}
import http.server, os, pathlib, signal, sys, threading

def stop(*_):
    with pathlib.Path(os.environ["STOPS"]).open("a") as stops:
        stops.write(os.environ["PART"] + "\\n")
    os._exit(0)

class Fine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

signal.signal(signal.SIGTERM, stop)
port = os.environ.get("FRONT_PORT") if "front" in sys.argv else None
port = os.environ.get("FLOWER_PORT") if "flower" in sys.argv else port
if "--port" in sys.argv:
    port = sys.argv[sys.argv.index("--port") + 1]
if port:
    http.server.HTTPServer(("127.0.0.1", int(port)), Fine).serve_forever()
threading.Event().wait()
"""

CATALOGUE = """
load_balancing:
  api_gateway:
    asr_services: {{instances: [{{endpoint: "http://127.0.0.1:{port}"}}]}}
    llm_services: {{instances: [{{endpoint: "http://127.0.0.1:9", model: small}}]}}
    tts_services: {{instances: [{{endpoint: "http://127.0.0.1:9"}}]}}
"""


class UpRun:
    """One run of `dispatcher up`."""

    def __init__(self, folder: Path, procfile: str, environ: Mapping[str, str]) -> None:
        """Start it on the text of a Procfile, which may name {bin} (stand-ins) and {asr_port}."""
        self.data_dir = folder / "var"
        self.broker_port = free_port()
        self.front_port = free_port()
        self.flower_port = free_port()
        self._stops = folder / "stops"
        asr_port = free_port()
        _write_stand_ins(folder / "bin")
        (folder / "Procfile").write_text(procfile.format(bin=folder / "bin", asr_port=asr_port))
        (folder / "small.yaml").write_text(CATALOGUE.format(port=asr_port))
        self._process = Process(
            f"up-{self.front_port}",
            [
                str(BIN / "dispatcher"),
                "up",
                "--config",
                f"{folder}/small.yaml",
                "--procfile",
                f"{folder}/Procfile",
            ],
            folder=folder,
            environ={**self._settings(), **environ},
        )
        self._process.start()

    def _settings(self) -> dict[str, str]:
        return {
            "BROKER_PORT": str(self.broker_port),
            "FRONT_PORT": str(self.front_port),
            "FLOWER_PORT": str(self.flower_port),
            "CONSOLE_PORT": str(free_port()),
            "DATA_DIR": str(self.data_dir),
            "DRAIN_S": "1",
            "STOPS": str(self._stops),
        }

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._process.output()

    @property
    def lines(self) -> list[str]:
        """The same, line by line."""
        return self.output.splitlines()

    @property
    def stops(self) -> list[str]:
        """The stand-ins that were asked to stop, in order."""
        return self._stops.read_text().split() if self._stops.exists() else []

    def says(self, text: str) -> None:
        """Wait until it has printed a text."""
        eventually(
            lambda: text in self.output or not self._process.runs,
            what=f"{text!r} in the output",
            within_s=WAIT_TIMEOUT_S,
        )
        assert text in self.output, self.output

    def is_up(self) -> None:
        """Wait until it has said how to stop it, which it does when all has started."""
        self.says("Ctrl-C")

    def pid_of(self, name: str) -> int | None:
        """Return the process id of a part, from `up.json`."""
        content = json.loads((self.data_dir / "up.json").read_text())
        pids: dict[str, int | None] = {part["name"]: part["pid"] for part in content["processes"]}
        return pids[name]

    def kill(self, name: str) -> None:
        """End a part as a crash would."""
        psutil.Process(self.pid_of(name)).kill()

    def children(self) -> list[psutil.Process]:
        """Return all processes below it now."""
        return psutil.Process(self.pid).children(recursive=True)

    def send_signal(self, which: signal.Signals) -> None:
        """Send the supervisor a signal."""
        self._process.send_signal(which)

    def ends(self) -> int:
        """Wait for its end; return the exit code."""
        return self._process.ends(WAIT_TIMEOUT_S)

    def clean_up(self) -> None:
        """End what is left, whatever the test did."""
        if self._process.runs:
            left = self.children()
            self._process.kill()
            for process in left:
                if process.is_running():
                    process.kill()


def _write_stand_ins(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("dispatcher", "celery"):
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o755)


def none_is_left(processes: list[psutil.Process]) -> bool:
    """Return whether all of these are gone; a zombie has ended and only waits to be counted."""
    return all(not process.is_running() or process.status() == psutil.STATUS_ZOMBIE for process in processes)
