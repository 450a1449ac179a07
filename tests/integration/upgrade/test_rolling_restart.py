"""An upgrade under load: every worker and every front restarts, and no turn is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.upgrade.paired_deployment import Deployment, TalkingDevices
from tests.support.instances import Instances
from tests.support.waiting import soon

# Nine processes start, four of them twice.
pytestmark = pytest.mark.timeout(300)

DEVICES = 6


@pytest.fixture
def deployment(tmp_path: Path, instances: Instances) -> Iterator[Deployment]:
    running = Deployment(tmp_path, instances)
    try:
        running.start()
        yield running
    finally:
        running.stop()


async def answers_go_on(household: TalkingDevices, *, more: int = DEVICES) -> None:
    """Wait until some more turns were answered, so that the restart before had its effect."""
    wanted = household.answered + more

    async def answered() -> bool:
        return household.answered >= wanted or bool(household.lost)

    await soon(answered, what=f"{more} more answers")


async def test_restarting_every_worker_and_front_in_turn_loses_no_turn(deployment: Deployment) -> None:
    household = TalkingDevices(deployment.fronts)
    living = asyncio.create_task(household.live(DEVICES))
    await answers_go_on(household)
    for worker in deployment.workers:
        await asyncio.to_thread(deployment.restart_worker, worker)
        await answers_go_on(household)
    for front in deployment.fronts:
        await asyncio.to_thread(deployment.restart_front, front)
        await answers_go_on(household)
    household.is_over = True
    await living
    assert household.lost == []
    # What a worker had taken when it was told to stop, it finished: nothing had to be sent again.
    assert deployment.late_stages() == 0
    assert household.repeated <= DEVICES
