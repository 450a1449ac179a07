"""One house for all tests of personas, devices and memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.integration.people.house import PERSONAS, TappedInstances, tapped
from tests.support.instances import Instances
from tests.support.stack import Stack, write_config


@pytest.fixture(scope="session")
def running_house(tmp_path_factory: pytest.TempPathFactory, running_instances: Instances) -> Iterator[Stack]:
    """The house, for the whole session; tests take `house`."""
    folder = tmp_path_factory.mktemp("house")
    instances = tapped(folder, running_instances)
    stack = Stack(folder, instances)
    memory = {"enabled": True, "idle": "10ms"}
    write_config(folder / "stack.yaml", instances, personas=dict(PERSONAS), memory=memory)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
        instances.stop()


@pytest.fixture
def house(running_house: Stack, instances: Instances) -> Iterator[Stack]:
    """The house, well; what it logged is printed, which pytest shows when the test fails."""
    assert instances is not None
    running_house.heal()
    logged = {process: process.printed_bytes() for process in running_house.processes}
    yield running_house
    for process, since_byte in logged.items():
        sys.stdout.write(f"--- {process.name}\n{process.output(since_byte)}\n")


@pytest.fixture
def asked(house: Stack) -> TappedInstances:
    """What the house's LLM and voices are asked."""
    assert isinstance(house.instances, TappedInstances)
    house.instances.forget_asked()
    return house.instances
