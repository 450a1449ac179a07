"""What the connections of a front share."""

from __future__ import annotations

from structlog.testing import capture_logs

from dispatcher.control.overrides import RuntimeOverrides
from dispatcher.errors import StateError
from tests.unit.front.fakes import fake_front, settle


async def test_the_tuner_may_lower_the_limit_of_devices_but_not_raise_it() -> None:
    context = fake_front(max_devices=100).context

    limits = []
    for limit in (None, 20, 1000):
        context.status.overrides = RuntimeOverrides(max_devices=limit)
        limits.append(context.max_devices)

    assert limits == [100, 20, 100]


async def test_work_that_cannot_reach_redis_is_logged() -> None:
    async def fail() -> None:
        raise StateError("redis: connection refused")

    with capture_logs() as logged:
        fake_front().context.spawn(fail())
        await settle()

    assert [line["event"] for line in logged] == ["redis out of reach"]
