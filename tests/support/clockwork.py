"""Beats and the control worker as processes, with minutes that pass in seconds, and what they did when."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.support.broker import Broker
from tests.support.instances import Instances
from tests.support.processes import BIN, Process, stop_all
from tests.support.stack import worker_command, write_config


class Clockwork:
    """Processes that belong to one broker and one YAML."""

    def __init__(self, folder: Path, broker: Broker, instances: Instances, *, tick_scale: float) -> None:
        """Write the YAML; nothing is started yet."""
        self.broker = broker
        self._folder = folder
        self.config = write_config(folder / "clockwork.yaml", instances)
        self._environ = {
            "REDIS_URL": broker.url,
            "DISPATCHER_CONFIG": str(self.config),
            "DATA_DIR": str(folder / "var"),
            "TICK_SCALE": str(tick_scale),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "debug",
        }
        self.processes: list[Process] = []

    @classmethod
    @contextmanager
    def made(
        cls, folder: Path, broker: Broker, instances: Instances, *, tick_scale: float
    ) -> Generator[Clockwork]:
        """Make one; all that it starts ends with it."""
        found = cls(folder, broker, instances, tick_scale=tick_scale)
        try:
            yield found
        finally:
            stop_all(found.processes)

    def configure(self, **rules: Any) -> None:
        """Change what the YAML says of everything, before anything is started."""
        self._edit("global_settings", rules)

    def configure_service(self, service: str, **rules: Any) -> None:
        """Change what the YAML says of one service, before anything is started."""
        self._edit("api_gateway", {f"{service}_services": rules})

    def _edit(self, section: str, rules: Mapping[str, Any]) -> None:
        content = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        known = content["load_balancing"].setdefault(section, {})
        for name, value in rules.items():
            known[name] = {**known[name], **value} if isinstance(value, dict) else value
        self.config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    def beat(self, name: str = "beat") -> Process:
        """Start a beat; all of them share one DATA_DIR."""
        return self._started(name, [str(BIN / "celery"), "-A", "workers", "beat"])

    def worker(self, *queues: str) -> Process:
        """Start a worker."""
        return self._started("-".join(queues), worker_command("-Q", ",".join(queues)))

    def _started(self, name: str, command: Sequence[str]) -> Process:
        process = Process(name, command, folder=self._folder, environ=self._environ)
        process.start()
        self.processes.append(process)
        return process


def events(process: Process, event: str, **fields: str) -> list[dict[str, Any]]:
    """Return what a process logged of one event, with these fields."""
    lines = (found for line in process.output().splitlines() for found in _objects(line))
    return [line for line in lines if line.get("event") == event and fields.items() <= line.items()]


def _objects(line: str) -> Iterator[dict[str, Any]]:
    """Yield what stands in a line: threads that log at once may share one."""
    decoder = json.JSONDecoder()
    while line.startswith("{"):
        try:
            found, end = decoder.raw_decode(line)
        except json.JSONDecodeError:  # still being written
            return
        yield found
        line = line[end:]


def times_s(process: Process, event: str, **fields: str) -> list[float]:
    """Return when a process logged an event, as Unix times."""
    return [
        datetime.fromisoformat(line["timestamp"]).timestamp() for line in events(process, event, **fields)
    ]
