"""The same devices on the running system, in real time: `python -m tests.simulation.running 1.3 120`.

Two timed LLM instances have their first sentence after 0.6 s; then one needs 3.3 s for the given seconds, and
recovers. What is counted is the first audio of each turn, as the front measures it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final, get_args

import yaml

from dispatcher.messages import Algorithm
from tests.simulation.slow_instance import LATE
from tests.support.device import Device
from tests.support.instances import Instances
from tests.support.stack import Stack

# 0.3 s to the first token, 0.3 s more to the end of the first sentence.
PACE: Final[Mapping[str, str]] = {"first_token_s": "0.3", "tokens_per_s": "17"}
SLOWER: Final = 5.5
LLM_CAP: Final = 40
WELL_S, BACK_S, SHARE_S = 15.0, 40.0, 20.0
HEADER: Final = (
    "| turns/s | algorithm | usual first audio ms | turns | late | raced | answered by the slow one | probes "
    "| p50 ms | worst ms | share of the one that was slow, 40 s after |"
)
DEVICES_A_TURN_PER_S: Final = 6
FEWEST_DEVICES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is tried under each algorithm."""

    turns_per_s: float
    slow_s: float
    algorithms: tuple[Algorithm, ...]


def with_large_caps(config: Path) -> None:
    """Give the LLM instances more room than any rate here needs, before a worker sizes its pool by it."""
    document = yaml.safe_load(config.read_text("utf-8"))
    for each in document["load_balancing"]["api_gateway"]["llm_services"]["instances"]:
        each["max_concurrent"] = LLM_CAP
    config.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


class RunningDevices:
    """Devices that speak to a stack, each one turn at a time, at random moments."""

    def __init__(self, stack: Stack, devices: list[Device], turns_per_s: float) -> None:
        """Nobody speaks yet."""
        self._stack = stack
        self._free = devices
        self._turns_per_s = turns_per_s
        self._dice = random.Random(17)
        self._turns: set[asyncio.Task[None]] = set()

    async def speak_for(self, seconds: float) -> list[dict[str, Any]]:
        """Let turns begin for a time; return what the front logged of those, in order of their ends."""
        since = self._stack.front.printed_bytes()
        until_s = asyncio.get_running_loop().time() + seconds
        while (rest_s := self._dice.expovariate(self._turns_per_s)) and (
            asyncio.get_running_loop().time() + rest_s < until_s
        ):
            await asyncio.sleep(rest_s)
            if self._free:
                turn = asyncio.create_task(self._turn(self._free.pop(0)))
                self._turns.add(turn)
                turn.add_done_callback(self._turns.discard)
        await asyncio.gather(*self._turns)
        return self._stack.front.events("turn finished", since)

    async def _turn(self, device: Device) -> None:
        await device.types("what now?")
        self._free.append(device)


async def try_algorithm(stack: Stack, speakers: RunningDevices, plan: Plan, algorithm: Algorithm) -> str:
    """Return one line of the table."""
    own = stack.own_catalogue
    llm = replace(own.services["llm"], algorithm=algorithm)
    stack.heal()
    await stack.activate(replace(own, services={**own.services, "llm": llm}))
    slow, _ = stack.instances.of("llm")
    slow.fault("none")
    usual_ms = median(turn["first_audio_ms"] for turn in await speakers.speak_for(WELL_S))
    slow.fault("slow", SLOWER)
    worker = stack.workers["llm"]
    since = worker.printed_bytes()
    turns = await speakers.speak_for(plan.slow_s)
    said = worker.output(since)
    slow.fault("none")
    await speakers.speak_for(BACK_S)
    after = [turn["llm_instance"] for turn in await speakers.speak_for(SHARE_S)]
    waits_ms = sorted(turn["first_audio_ms"] for turn in turns)
    late = sum(wait_ms > LATE * usual_ms for wait_ms in waits_ms)
    by_slow = sum(turn["llm_instance"] == "llm-1" for turn in turns)
    beside, probes = said.count("instance late, another one asked"), said.count("instance probed")
    middle_ms = waits_ms[len(waits_ms) // 2]
    share = f"{after.count('llm-1')} of {len(after)}"
    return (
        f"| {plan.turns_per_s:g} | {algorithm} | {usual_ms:.0f} | {len(turns)} | {late} "
        f"| {beside} | {by_slow} | {probes} | {middle_ms:.0f} | {waits_ms[-1]:.0f} | {share} |"
    )


async def main(plan: Plan, stack: Stack) -> None:
    """Try each algorithm and print as it goes."""
    count = max(FEWEST_DEVICES, round(plan.turns_per_s * DEVICES_A_TURN_PER_S))
    async with AsyncExitStack() as open_ones:
        devices = [
            await open_ones.enter_async_context(stack.front.device(f"house-{number}"))
            for number in range(count)
        ]
        speakers = RunningDevices(stack, devices, plan.turns_per_s)
        sys.stdout.write(f"{HEADER}\n")
        for algorithm in plan.algorithms:
            sys.stdout.write(await try_algorithm(stack, speakers, plan, algorithm) + "\n")
            sys.stdout.flush()


def run() -> None:
    """Start a stack, measure, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("turns_per_s", type=float)
    parser.add_argument("slow_s", type=float)
    parser.add_argument("algorithms", nargs="*", default=get_args(Algorithm))
    given = parser.parse_args()
    plan = Plan(turns_per_s=given.turns_per_s, slow_s=given.slow_s, algorithms=tuple(given.algorithms))
    with tempfile.TemporaryDirectory() as folder:
        instances = Instances.started(Path(folder), llm_pace=PACE)
        stack = Stack(Path(folder), instances)
        with_large_caps(Path(stack.environ["DISPATCHER_CONFIG"]))
        try:
            stack.start()
            asyncio.run(main(plan, stack))
        finally:
            stack.stop()
            instances.stop()


if __name__ == "__main__":
    run()
