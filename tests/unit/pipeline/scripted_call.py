"""A hedged call in virtual time to instances that follow a script each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from dispatcher.errors import InstanceError, InstanceFailed
from dispatcher.messages import Service
from dispatcher.pipeline.attempt import Attempt, AttemptEvent, AttemptState, CallProfile, now
from dispatcher.pipeline.attempt_runner import LostHedge
from dispatcher.pipeline.hedged_call import HedgedCall
from dispatcher.routing.router import Lease
from tests.unit.pipeline.fake_worker import FakeWorker, instance_of, ticket_of

Step: TypeAlias = Callable[[Attempt], Awaitable[None]]
Rows: TypeAlias = set[tuple[AttemptState, AttemptEvent]]
S: Final = AttemptState
E: Final = AttemptEvent
# What an LLM that was never asked may take to its first sentence.
LATE_S: Final = 0.6


def after(seconds: float) -> Step:
    async def wait(_: Attempt) -> None:
        await asyncio.sleep(seconds)

    return wait


async def result(attempt: Attempt) -> None:
    """Have a result, which is sent or not."""
    attempt.mark_alive()
    if not attempt.try_win():
        raise LostHedge


async def thought(attempt: Attempt) -> None:
    attempt.mark_alive(is_thinking=True)


async def no_end(_: Attempt) -> None:
    await asyncio.Event().wait()


def failure(kind: type[InstanceError] = InstanceFailed) -> Step:
    async def fail(attempt: Attempt) -> None:
        raise kind(attempt.name, "as the test wants it")

    return fail


async def loss(_: Attempt) -> None:
    raise LostHedge


A_RESULT: Final = [after(0.3), result, after(0.2)]


class Call:
    """A call to instances that follow a script each, and what became of it."""

    def __init__(self, service: Service = "llm", *, standby: str = "", **scripts: list[Step]) -> None:
        """Take the script of each instance by its name; the router picks them in this order."""
        self.worker = FakeWorker.with_instances(
            *(
                instance_of(service, name, priority="standby" if name == standby else "normal")
                for name in scripts
            )
        )
        self.profile = CallProfile(service=service, ticket=ticket_of())
        self.scripts = scripts
        self.asked: list[tuple[str, float]] = []
        self.hedging = self.worker.context.hedging
        self.router = self.worker.router

    def spend(self, *budgets: str) -> Call:
        """Leave nothing in these budgets."""
        for name in budgets:
            budget = getattr(self.hedging, f"{name}_budget")
            while budget.try_spend(now()):
                pass
        return self

    async def run(self) -> str:
        """Return the name of the instance whose result counts."""
        self.began_at = now()
        return await HedgedCall(self.worker.context, self.profile, self._attempt_on).run()

    async def observe(self) -> None:
        """Wait for the attempts that are only observed."""
        await asyncio.wait(self.worker.loop.kept, timeout=60)

    async def _attempt_on(self, attempt: Attempt, lease: Lease) -> str:
        name = lease.instance.name
        self.asked.append((name, round(now() - self.began_at, 2)))
        for step in self.scripts[name]:
            await step(attempt)
        return name
