"""Every dialect of the catalogue has its provider, which is imported when somebody asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dispatcher.catalogue.dialects import DIALECTS
from dispatcher.catalogue.model import Instance
from dispatcher.errors import ConfigError
from dispatcher.messages import Service
from dispatcher.providers.registry import CLASSES, Providers

ALL_TASKS = (
    "import dispatcher.pipeline.worker_context, workers.asr, workers.llm, workers.tts, workers.control"
)


def instance(service: Service, provider: str) -> Instance:
    return Instance(name="one", service=service, endpoint="http://127.0.0.1:1", provider=provider)


@pytest.mark.parametrize(
    ("service", "provider"),
    [(service, name) for name, dialect in DIALECTS.items() for service in dialect.services],
)
async def test_each_dialect_of_a_service_is_spoken_by_one_provider(service: Service, provider: str) -> None:
    providers = Providers()
    try:
        found = providers.of(instance(service, provider))
        assert providers.of(instance(service, provider)) is found
        assert CLASSES[service, provider].endswith(f".{type(found).__name__}")
    finally:
        await providers.close()


async def test_a_dialect_of_another_service_is_refused_with_those_that_are_spoken() -> None:
    providers = Providers()
    try:
        with pytest.raises(
            ConfigError, match=r"one.provider: was 'edge_tts'; expected one of ollama, openai"
        ):
            providers.of(instance("llm", "edge_tts"))
    finally:
        await providers.close()


def test_workers_bring_no_numpy_along() -> None:
    # 10 MB in each of them, for dialects and rates that most houses never see.
    check = f"{ALL_TASKS}; import sys; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
