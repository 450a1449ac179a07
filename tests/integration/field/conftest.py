"""A whole system whose LLM, on request also ASR and TTS, is a server as public reports describe it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.instances import Instances
from tests.support.services.fake_service import in_a_thread
from tests.support.services.field import FieldScript, FieldServer
from tests.support.stack import Stack


@pytest.fixture(scope="package")
def running_field() -> Iterator[FieldServer]:
    with in_a_thread(FieldServer) as server:
        yield server


@pytest.fixture(scope="package")
def running_field_stack(
    tmp_path_factory: pytest.TempPathFactory, running_instances: Instances, running_field: FieldServer
) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("field-stack"), running_instances)
    path = Path(stack.environ["DISPATCHER_CONFIG"])
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    gateway = content["load_balancing"]["api_gateway"]
    gateway["llm_services"]["instances"] = [
        {"name": "llm-field", "endpoint": running_field.endpoint("field"), "model": "some-model"},
        {
            "name": "llm-standby",
            "endpoint": running_field.endpoint("standby"),
            "model": "some-model",
            "priority": "standby",
        },
    ]
    # FILLER
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with stack.running():
        yield stack


@pytest.fixture
def field(running_field: FieldServer) -> FieldServer:
    """The server, with nothing asked of it yet."""
    running_field.script = FieldScript()
    running_field.calls.clear()
    return running_field


@pytest.fixture
def field_stack(running_field_stack: Stack) -> Iterator[Stack]:
    """The system, with nothing learned of its instances."""
    stack = running_field_stack
    with stack.healed():
        yield stack
