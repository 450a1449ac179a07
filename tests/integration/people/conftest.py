"""One stack for all tests of personas, devices, memory and traces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.people.tapped_stack import PERSONAS, TappedInstances, tapped
from tests.support.instances import Instances
from tests.support.services.fake_service import in_a_thread
from tests.support.services.otlp_collector import OtlpCollector
from tests.support.stack import Stack, write_config


@pytest.fixture(scope="package")
def collector() -> Iterator[OtlpCollector]:
    """What the stack sends its traces to."""
    with in_a_thread(OtlpCollector) as running:
        yield running


@pytest.fixture(scope="package")
def running_tapped_stack(
    tmp_path_factory: pytest.TempPathFactory, running_instances: Instances, collector: OtlpCollector
) -> Iterator[Stack]:
    """The stack, for all tests of this folder; they take `tapped_stack`."""
    folder = tmp_path_factory.mktemp("house")
    instances = tapped(folder, running_instances)
    stack = Stack(folder, instances)
    for process in stack.processes:
        process.environ |= collector.environ
    memory = {"enabled": True, "idle": "10ms"}
    write_config(folder / "stack.yaml", instances, personas=dict(PERSONAS), memory=memory)
    try:
        with stack.running():
            yield stack
    finally:
        instances.stop()


@pytest.fixture
def tapped_stack(running_tapped_stack: Stack, instances: Instances) -> Iterator[Stack]:
    """The stack, well; what it logged is printed, which pytest shows when the test fails."""
    assert instances is not None
    with running_tapped_stack.healed():
        yield running_tapped_stack


@pytest.fixture
def asked(tapped_stack: Stack) -> TappedInstances:
    """What the stack's LLM and voices are asked."""
    assert isinstance(tapped_stack.instances, TappedInstances)
    tapped_stack.instances.forget_asked()
    return tapped_stack.instances
