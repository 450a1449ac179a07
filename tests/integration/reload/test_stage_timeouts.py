"""A stage is waited for as long as the rules in force say, and no longer than a part needs to come back."""

from __future__ import annotations

from tests.integration.reload.conftest import Operator
from tests.support.instances import SENTENCES
from tests.support.waiting import soon


async def test_a_worker_that_was_killed_in_mid_turn_is_replaced_and_the_turn_answered(
    operator: Operator,
) -> None:
    # With the stack's own two seconds a busy machine starts the next worker too late.
    operator.saves(operator.text(lambda _: None))
    assert operator.reloads().returncode == 0
    stack = operator.stack
    worker = stack.workers["llm"]
    for llm in stack.instances.of("llm"):
        llm.fault("slow", 50)
    async with stack.front.device("patient") as device:
        await device.begins_to_type("are you there?")

        async def works() -> bool:
            return any(llm.in_flight for llm in stack.instances.of("llm"))

        await soon(works, what="an LLM works for the turn")
        worker.kill()
        stack.instances.revive()
        worker.start()
        assert (await device.answer()).sentences == SENTENCES
