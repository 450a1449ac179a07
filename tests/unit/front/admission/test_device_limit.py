"""How many devices a front lets in where no setting says so."""

from __future__ import annotations

import pytest

from dispatcher.front.admission import connection_limiter
from dispatcher.front.admission.connection_limiter import FEWEST_DEVICES, MOST_DEVICES, device_limit
from dispatcher.settings import Settings
from tests.unit.front.fakes import fake_front

GIGABYTE = 1024**3


@pytest.mark.parametrize(
    ("memory_bytes", "descriptors", "devices"),
    [
        (GIGABYTE, 20_000, 873),
        (8 * GIGABYTE, 20_000, 6990),
        (8 * GIGABYTE, 1024, 896),
        (64 * GIGABYTE, 1_000_000, MOST_DEVICES),
        (8 * GIGABYTE, 100, FEWEST_DEVICES),
    ],
)
def test_devices_are_as_many_as_memory_and_descriptors_carry(
    monkeypatch: pytest.MonkeyPatch, memory_bytes: int, descriptors: int, devices: int
) -> None:
    monkeypatch.setattr(connection_limiter, "descriptor_limit", lambda: descriptors)

    assert device_limit(Settings(), memory_bytes=memory_bytes) == devices


def test_an_explicit_number_wins_over_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limiter, "descriptor_limit", lambda: 200)

    assert device_limit(Settings(max_devices=5000), memory_bytes=1) == 5000


async def test_a_queue_may_hold_a_task_for_each_device_unless_it_is_set() -> None:
    assert fake_front(max_devices=7).context.queue_limit == 7
    assert fake_front(max_devices=7, queue_limit=3).context.queue_limit == 3
