"""A whole system whose ASR and LLM say what a test tells them, with two tool servers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dispatcher.messages import Service
from tests.support.instances import Instances
from tests.support.processes import Process, free_port, stop_all
from tests.support.scripted_models import ScriptedModels
from tests.support.services.fake_service import in_a_thread
from tests.support.services.otlp_collector import OtlpCollector
from tests.support.stack import Stack
from tests.support.waiting import eventually

WEATHER = Path(__file__).with_name("weather_server.py")
SOURCE = "the frog"
# Where a worker that was killed began to print again.
_began_at: dict[str, int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInstances(Instances):
    """The timed TTS of the session, and models that follow a script."""

    models: ScriptedModels

    def ports(self, service: Service) -> list[int]:
        """Return where workers call a service."""
        asr, *llm = self.models.ports
        return {"asr": [asr], "llm": llm, "tts": [each.port for each in self.of("tts")]}[service]

    def revive(self) -> None:
        """Have all of them do right."""
        Instances.revive(self)
        self.models.forget()


@pytest.fixture(scope="package")
def models() -> Iterator[ScriptedModels]:
    scripted = ScriptedModels()
    yield scripted
    scripted.close()


@pytest.fixture(scope="package")
def collector() -> Iterator[OtlpCollector]:
    """What the system sends its traces to."""
    with in_a_thread(OtlpCollector) as running:
        yield running


@pytest.fixture(scope="package")
def weather_over_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a tool server that runs for all tests here."""
    port = free_port()
    folder = tmp_path_factory.mktemp("weather")
    environ = {"WEATHER_SOURCE": "the almanac"}
    server = Process("weather", [sys.executable, str(WEATHER), str(port)], folder=folder, environ=environ)
    server.start()
    yield f"http://127.0.0.1:{port}/mcp"
    stop_all([server])


@pytest.fixture(scope="package")
def running_tool_stack(
    tmp_path_factory: pytest.TempPathFactory,
    running_instances: Instances,
    models: ScriptedModels,
    weather_over_http: str,
    collector: OtlpCollector,
) -> Iterator[Stack]:
    services = {"asr": (), "llm": (), "tts": running_instances.of("tts")}
    instances = ToolInstances(by_service=services, taps=(), models=models)  # type: ignore[arg-type]
    stack = Stack(tmp_path_factory.mktemp("tool-stack"), instances)
    path = Path(stack.environ["DISPATCHER_CONFIG"])
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["mcp_servers"] = {
        "frog": {"command": sys.executable, "args": [str(WEATHER)], "env_from": ["WEATHER_SOURCE"]},
        "almanac": {"url": weather_over_http, "allow": ["forecast", "nothing_of_the_kind"]},
    }
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    for process in stack.processes:
        process.environ |= {"WEATHER_SOURCE": SOURCE, **collector.environ}
    with stack.running():
        yield stack


@pytest.fixture
def tool_stack(running_tool_stack: Stack) -> Iterator[Stack]:
    """The system, well, with both tool servers connected."""
    stack = running_tool_stack
    llm = stack.workers["llm"]
    if not llm.runs:
        _began_at[llm.name] = llm.printed_bytes()
    with stack.healed():
        since_byte = _began_at.get(llm.name, 0)
        eventually(
            lambda: llm.output(since_byte).count("tool server connected") >= 2,
            what="tool servers are connected",
        )
        yield stack
