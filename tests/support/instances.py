"""Timed instances as real processes, and their switch for faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

from dispatcher.messages import SERVICES, Service
from tests.support.processes import BIN, Process, free_port, stop_all
from tests.support.waiting import eventually
from tests.support.wiretap import Wiretap

TRANSCRIPT: Final = "What time is it?"
# Three sentences, and little to say: half a second of sound.
SENTENCES: Final = (
    "Sure, here it is.",
    "The kettle is on the stove and warm.",
    "Tea will be ready rather soon.",
)
SPEED: Final[Mapping[Service, Mapping[str, str]]] = {
    "asr": {"delay_s": "0.02", "text": TRANSCRIPT},
    "llm": {
        "first_token_s": "0.02",
        "tokens_per_s": "200",
        "token_characters": "4",
        "text": f"🙂 {' '.join(SENTENCES)}",
    },
    "tts": {"first_audio_s": "0.02", "audio_s_per_character": "0.006"},
}


class TimedInstance(Process):
    """One instance whose times are exact, and that fails when it is told to."""

    def __init__(
        self, service: Service, name: str, folder: Path, pace: Mapping[str, str] | None = None
    ) -> None:
        """Choose a port; nothing is started yet. What `pace` sets differs from what is usual here."""
        self.port = free_port()
        words = [
            word for pair in {**SPEED[service], **(pace or {})}.items() for word in ("--set", "=".join(pair))
        ]
        command = ["dispatcher", "instance", service, "--engine", "timed", "--port", str(self.port)]
        super().__init__(name, [str(BIN / command[0]), *command[1:], *words], folder=folder)

    def wait_until_ready(self) -> None:
        """Return when it answers that it is well."""
        eventually(lambda: self._health() is not None, what=f"{self.name} is ready")

    def revive(self) -> None:
        """Start it where it is dead, and let it do right."""
        if not self.runs:
            self.start()
            self.wait_until_ready()
        self.fault("none")

    def fault(self, mode: str, value: float | None = None) -> None:
        """Fail like this from now on; "none" ends it."""
        _ask(self.port, "/faults", {"mode": mode, "value": value})

    @property
    def in_flight(self) -> int:
        """Calls that it works on now."""
        health = self._health()
        assert health is not None, f"{self.name} does not answer"
        return int(health["in_flight"])

    def _health(self) -> dict[str, Any] | None:
        assert self.runs, f"{self.name} ended: {self.output()}"
        try:
            return _ask(self.port, "/health")
        except (URLError, OSError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """Two instances of each service; what LLMs are asked goes through a wiretap."""

    by_service: Mapping[Service, tuple[TimedInstance, ...]]
    taps: tuple[Wiretap, ...]

    @classmethod
    def started(cls, folder: Path, *, llm_pace: Mapping[str, str] | None = None) -> Instances:
        """Start them all and wait until they are well."""
        paces = {"llm": llm_pace}
        by_service = {
            service: tuple(
                TimedInstance(service, f"{service}-{number}", folder, paces.get(service)) for number in (1, 2)
            )
            for service in SERVICES
        }
        found = cls(by_service=by_service, taps=tuple(Wiretap(each.port) for each in by_service["llm"]))
        for instance in found.all:
            instance.start()
        for instance in found.all:
            instance.wait_until_ready()
        return found

    @property
    def all(self) -> list[TimedInstance]:
        """Every instance of every service."""
        return [instance for several in self.by_service.values() for instance in several]

    def of(self, service: Service) -> tuple[TimedInstance, ...]:
        """Return the instances of one service."""
        return self.by_service[service]

    def ports(self, service: Service) -> list[int]:
        """Return where workers call a service."""
        if service == "llm":
            return [tap.port for tap in self.taps]
        return [instance.port for instance in self.of(service)]

    def asked(self) -> list[dict[str, Any]]:
        """Return what LLM instances were asked, in order."""
        requests = [request for tap in self.taps for request in tap.requests()]
        return [body for _, body in sorted(requests, key=itemgetter(0))]

    def forget_asked(self) -> None:
        """Forget what LLM instances were asked."""
        for tap in self.taps:
            tap.forget()

    def revive(self) -> None:
        """Have all of them run and do right, and forget what was asked."""
        for instance in self.all:
            instance.revive()
        self.forget_asked()

    def stop(self) -> None:
        """End all of them."""
        for tap in self.taps:
            tap.close()
        stop_all(self.all)


def _ask(port: int, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"http://127.0.0.1:{port}{path}", data=data)
    with urlopen(request, timeout=5) as response:
        answer: dict[str, Any] = json.load(response)
        return answer
