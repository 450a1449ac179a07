"""A real `dispatcher up` on timed instances, which allows faults."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import yaml
from redis import Redis

from dispatcher.data_dir import embedded_redis_url
from dispatcher.messages import QUEUES, SERVICES
from tests.support.instances import SPEED
from tests.support.processes import BIN, Process, free_port, own_environment
from tests.support.waiting import eventually

START_S = 90.0


class ChaosStack(Process):
    """Everything that a turn needs, under one supervisor."""

    def __init__(self, folder: Path, *, inside: Sequence[str] = ()) -> None:
        """Write Procfile and YAML; nothing is started yet. `inside` is a command that runs it elsewhere."""
        self.ports = {f"{service}-{number}": free_port() for service in SERVICES for number in (1, 2)}
        self.environ_of_commands = {
            "BROKER_PORT": str(free_port()),
            "FRONT_PORT": str(free_port()),
            "FRONT_HOST": "127.0.0.1",
            "FLOWER_PORT": str(free_port()),
            "CONSOLE_PORT": str(free_port()),
            "DATA_DIR": str(folder / "var"),
            "DISPATCHER_CONFIG": str(folder / "stack.yaml"),
            "DRAIN_S": "5",
        }
        (folder / "stack.yaml").write_text(yaml.safe_dump(self._catalogue()))
        (folder / "Procfile").write_text("\n".join(self._lines()) + "\n")
        command = [*inside, str(BIN / "dispatcher"), "up", "--procfile", str(folder / "Procfile")]
        own = {**self.environ_of_commands, "ALLOW_VERIFY": "true", "TICK_SCALE": "0.2"}
        super().__init__("up", command, folder=folder, environ=own)

    @property
    def broker_url(self) -> str:
        """The broker that the supervisor runs."""
        own = self.environ_of_commands
        return embedded_redis_url(int(own["BROKER_PORT"]), Path(own["DATA_DIR"]))

    def start(self) -> None:
        """Start it, and wait until everything runs."""
        super().start()
        eventually(
            lambda: "Ctrl-C" in self.output() or not self.runs, what="everything runs", within_s=START_S
        )
        assert self.runs, self.output()

    def dispatcher(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours against it to its end."""
        return self.run(str(BIN / "dispatcher"), *words)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run any command with its settings to its end."""
        return subprocess.run(
            words,
            env=own_environment(self.environ_of_commands),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def fault_of(self, name: str) -> str:
        """Return the mode that an instance is in."""
        with urlopen(f"http://127.0.0.1:{self.ports[name]}/faults", timeout=5) as response:
            said: dict[str, Any] = json.load(response)
        return str(said["mode"])

    def overrides(self) -> dict[bytes, bytes]:
        """Return the overrides that are set."""
        with Redis.from_url(self.broker_url) as client:
            found: dict[bytes, bytes] = client.hgetall("knobs")
        return found

    def set_overrides(self, wanted: Mapping[str, int]) -> None:
        """Set overrides as the tuner does."""
        with Redis.from_url(self.broker_url) as client:
            client.hset("knobs", mapping=dict(wanted))

    def unset_overrides(self, *names: str) -> None:
        """Put overrides back to what is configured."""
        with Redis.from_url(self.broker_url) as client:
            client.hdel("knobs", *names)

    def pid_of(self, name: str) -> int | None:
        """Return the process id of a part, None while it is down."""
        parts = json.loads((Path(self.environ_of_commands["DATA_DIR"]) / "up.json").read_text())["processes"]
        return next((each["pid"] for each in parts if each["name"] == name), None)

    def talk(self) -> None:
        """Have a typed turn."""
        url = f"http://127.0.0.1:{self.environ_of_commands['FRONT_PORT']}/xiaozhi/ota/"
        self.dispatcher("talk", "--ota", url, "--text", "hello", "--out", "/dev/null")

    def finish(self) -> None:
        """Stop everything."""
        if self.runs:
            self.send_signal(signal.SIGTERM)
            self.ends(60)

    def _catalogue(self) -> dict[str, Any]:
        algorithms = {"asr": "least_connections", "llm": "response_time", "tts": "weighted_round_robin"}
        services = {
            f"{service}_services": {
                "algorithm": algorithms[service],
                "instances": [
                    {"name": name, "endpoint": f"http://127.0.0.1:{port}", "max_concurrent": 8}
                    for name, port in self.ports.items()
                    if name.startswith(service)
                ],
            }
            for service in SERVICES
        }
        return {"load_balancing": {"global_settings": {"health_check_interval": 5}, "api_gateway": services}}

    def _lines(self) -> list[str]:
        lines = ["broker: exec dispatcher broker", "front: exec dispatcher front"]
        lines += [f"{queue}: exec celery -A workers worker -Q {queue}" for queue in QUEUES]
        lines.append("beat: exec celery -A workers beat")
        for name, port in self.ports.items():
            service = name.partition("-")[0]
            options = " ".join(f"--set {key}='{value}'" for key, value in SPEED[service].items())  # type: ignore[index]
            lines.append(f"{name}: exec dispatcher instance {service} --engine timed --port {port} {options}")
        return lines
