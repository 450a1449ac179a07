"""The whole system as `make run` starts it, on ports of its own: the real Procfile, the real engines."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import psutil

from tests.support.processes import BIN, ROOT, Process, free_port, own_environment
from tests.support.waiting import eventually, is_ready

# Two whispers load at once on two cores that are not idle.
START_S = 90.0
TALK_S = 60.0


class WholeSystem:
    """One run of `dispatcher up`."""

    def __init__(self, folder: Path, *, front_port: int = 0) -> None:
        """Write a Procfile and a YAML like the real ones but for the ports, and start; 0 is a free port."""
        self._data_dir = folder / "var"
        self._folder = folder
        self.front_port = front_port or free_port()
        procfile = (ROOT / "Procfile").read_text()
        config = (ROOT / "config" / "embedded.yaml").read_text()
        # Other tests load the machine meanwhile, which is nothing to act on.
        config = config.replace("{mode: act}", "{mode: observe}")
        for port in re.findall(r"--port (\d+)", procfile):
            own = str(free_port())
            procfile = procfile.replace(f"--port {port}", f"--port {own}")
            config = config.replace(f"127.0.0.1:{port}", f"127.0.0.1:{own}")
        self._procfile = procfile
        (folder / "Procfile").write_text(procfile)
        (folder / "house.yaml").write_text(config)
        command = ["dispatcher", "up", "--config", f"{folder}/house.yaml", "--procfile", f"{folder}/Procfile"]
        self._environ = {
            "BROKER_PORT": str(free_port()),
            "FRONT_PORT": str(self.front_port),
            "FLOWER_PORT": str(free_port()),
            "CONSOLE_PORT": str(free_port()),
            "DATA_DIR": str(self._data_dir),
        }
        command[0] = str(BIN / "dispatcher")
        self.process = Process("house", command, folder=folder, environ=self._environ)
        self.process.start()

    @property
    def url(self) -> str:
        """Where a browser opens the talk page."""
        return f"http://localhost:{self.front_port}/"

    @property
    def console_url(self) -> str:
        """Where a browser opens the console."""
        return f"http://localhost:{self._environ['CONSOLE_PORT']}/"

    def takes_turns(self) -> None:
        """Wait until the front says that it is ready."""
        eventually(
            lambda: is_ready(self.url) or not self.process.runs, what="the front is ready", within_s=START_S
        )
        assert self.process.runs, self.process.output()

    def is_up(self) -> None:
        """Wait until the final table is printed."""
        eventually(
            lambda: "Ctrl-C" in self.process.output() or not self.process.runs,
            what="the final table",
            within_s=START_S,
        )
        assert "Ctrl-C" in self.process.output(), self.process.output()

    def pids(self) -> dict[str, int]:
        """Return the process ids of all parts, by name."""
        parts = json.loads((self._data_dir / "up.json").read_text())["processes"]
        return {part["name"]: part["pid"] for part in parts}

    def kill(self, name: str) -> None:
        """End a part as a crash would."""
        process = psutil.Process(self.pids()[name])
        process.kill()
        psutil.wait_procs([process], timeout=5)

    def endpoint(self, name: str) -> str:
        """Return the address of a built-in instance."""
        line = next(line for line in self._procfile.splitlines() if line.startswith(f"{name}:"))
        return f"http://127.0.0.1:{line.split('--port ')[1].split()[0]}"

    def is_back(self, name: str, *, not_pid: int) -> None:
        """Wait until a part runs again, as another process, and is ready."""
        eventually(lambda: self.pids()[name] not in {not_pid, None}, what=f"another {name}", within_s=START_S)
        eventually(
            lambda: self.process.output().count(f"{name} is back") >= 1,
            what=f"{name} ready",
            within_s=START_S,
        )

    def talk(self, *arguments: str) -> str:
        """Run `dispatcher talk` to its end and return what it printed."""
        ota = f"http://127.0.0.1:{self.front_port}/xiaozhi/ota/"
        done = subprocess.run(
            [str(BIN / "dispatcher"), "talk", *arguments, "--ota", ota, "--out", f"{self._folder}/heard.wav"],
            env=own_environment({"PYTHONIOENCODING": "utf-8"}),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=TALK_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.process.output()}"
        return done.stdout

    def heard_wav(self) -> bytes:
        """Return what the last `talk` kept of the answer."""
        return (self._folder / "heard.wav").read_bytes()

    def stop(self) -> list[psutil.Process]:
        """Stop as Ctrl-C would; return the processes that it left behind, which should be none."""
        if not self.process.runs:
            return []
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.stop()
        left = [child for child in children if child.is_running()]
        for child in left:
            os.kill(child.pid, 9)
        return left
