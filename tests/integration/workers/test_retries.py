"""Calls that fail are made again elsewhere, as long as that helps: one instance out, and all of them."""

from __future__ import annotations

import asyncio

from pytest_celery import CeleryTestSetup

from dispatcher.messages import TurnTicket
from dispatcher.routing.rules.retries import GUARANTEED_INTERVAL_S, MAX_SAVED, RETRY_RATIO
from tests.support.front_side import FrontSide
from tests.support.instances import Instances
from tests.support.waiting import eventually

TURNS = 120
SPENT = "retry budget spent"


async def many_turns(front_side: FrontSide) -> list[TurnTicket]:
    """Type at once for many devices, and read until each turn ended one way or the other."""
    tickets = await asyncio.gather(*(front_side.types() for _ in range(TURNS)))
    for ticket in tickets:
        await front_side.reads(ticket, "end", "failed")
    return tickets


async def test_while_all_instances_fail_load_grows_by_the_retry_budget_and_the_log_says_why(
    celery_setup: CeleryTestSetup, front_side: FrontSide, instances: Instances
) -> None:
    for llm in instances.of("llm"):
        llm.fault("fast-error")
    instances.forget_asked()
    began_at = asyncio.get_running_loop().time()
    tickets = await many_turns(front_side)
    seconds = asyncio.get_running_loop().time() - began_at

    # Nobody is left without an answer: each front hears of the failure and apologises.
    kinds = {reply.kind for ticket in tickets for reply in front_side.of(ticket)}
    assert kinds - {"waiting"} == {"failed"}
    refused = celery_setup.worker.container.logs().count(SPENT)
    assert refused >= TURNS - (MAX_SAVED + RETRY_RATIO * TURNS + seconds / GUARANTEED_INTERVAL_S + 1)
    # Without a budget every turn would be asked twice.
    assert TURNS + MAX_SAVED / 2 <= len(instances.asked()) <= 2 * TURNS - refused


async def test_one_instance_out_costs_no_turn(
    celery_setup: CeleryTestSetup, front_side: FrontSide, instances: Instances
) -> None:
    instances.of("llm")[0].fault("fast-error")
    tickets = await many_turns(front_side)
    kinds = {reply.kind for ticket in tickets for reply in front_side.of(ticket)}
    assert "failed" not in kinds
    assert SPENT not in celery_setup.worker.container.logs()
    eventually(lambda: instances.of("llm")[0].in_flight == 0, what="nothing is left behind")
