"""A stack whose assistant has rules for an LLM, so that it remembers; what is asked of it is tapped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from redis import Redis

from dispatcher.messages import Service
from tests.support.commands import Said, command_beside
from tests.support.instances import Instances, TimedInstance
from tests.support.processes import BIN
from tests.support.stack import Stack
from tests.support.wiretap import Wiretap

PERSONAS: Final[Mapping[str, Any]] = {
    "kettle": {
        "name": "Kettle",
        "system_prompt": "You are {name}.",
        "voice": "nova",
        "language": "zh",
        "wake_words": ["hello kettle"],
        "greeting": "Yes, here I am.",
    },
    "shop": {"voice": {"tts-1": "alloy", "tts-2": "alloy"}},
}


class RuleBased(TimedInstance):
    """The built-in assistant in the place of a timed LLM; it does not fail when told to."""

    def __init__(self, name: str, folder: Path) -> None:
        """Choose a port; nothing is started yet."""
        super().__init__("llm", name, folder)
        start = [str(BIN / "dispatcher"), "instance", "llm", "--port", str(self.port)]
        self.command = start

    def revive(self) -> None:
        """Start it where it is dead."""
        if not self.runs:
            self.start()
            self.wait_until_ready()


class TappedInstances(Instances):
    """The timed ears and voices of the session, and an assistant that has something to say."""

    @property
    def all(self) -> list[TimedInstance]:
        """The instances of this stack alone; the others end with the session."""
        return list(self.by_service["llm"])

    def ports(self, service: Service) -> list[int]:
        """Return where workers call a service."""
        if service == "asr":
            return super().ports(service)
        return [self.taps[0].port] if service == "llm" else [tap.port for tap in self.taps[1:]]

    def voices(self) -> set[str]:
        """Return the voices that were asked for since the last look."""
        found = {body["voice"] for tap in self.taps[1:] for _, body in tap.requests() if "voice" in body}
        self.forget_asked()
        return found

    def spoken(self) -> list[str]:
        """Return the texts that were to be spoken since the last look."""
        found = [body["input"] for tap in self.taps[1:] for _, body in tap.requests() if "input" in body]
        self.forget_asked()
        return found

    def traceparents(self) -> set[str]:
        """Return the traces that the requests to the LLM belong to, as their header has it."""
        return self.taps[0].traceparents()

    def prompts(self) -> list[str]:
        """Return the system prompts of answers that were asked for since the last look."""
        bodies = [body for _, body in self.taps[0].requests()]
        self.forget_asked()
        firsts = [body["messages"][0]["content"] for body in bodies if body.get("messages")]
        return [first for first in firsts if not first.startswith("You keep the memory")]


def tapped(folder: Path, running: Instances) -> TappedInstances:
    """Start an assistant beside the session's ears and voices."""
    llm = RuleBased("llm-rules", folder)
    llm.start()
    llm.wait_until_ready()
    voices = [Wiretap(each.port) for each in running.of("tts")]
    by_service = {**running.by_service, "llm": (llm,)}
    return TappedInstances(by_service=by_service, taps=(Wiretap(llm.port), *voices))


async def command(stack: Stack, *words: str) -> Said:
    """Call a `dispatcher` command on the stack."""
    return await command_beside(stack.environ, *words)


async def listed(stack: Stack) -> dict[str, dict[str, Any]]:
    """Return the devices of `dispatcher devices list`, by id."""
    code, out, err = await command(stack, "devices", "list", "--json")
    assert code == 0, err
    return {each["device_id"]: each for each in json.loads(out)}


def redis(stack: Stack) -> Redis:
    """Return a client of the stack's broker."""
    return Redis.from_url(stack.broker.url, decode_responses=True)
