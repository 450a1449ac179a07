"""The YAML changes while devices talk."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable

from tests.integration.reload.conftest import Operator, Services
from tests.support.instances import SENTENCES
from tests.support.stack import Stack
from tests.support.waiting import eventually, soon

CYCLE = 4
# 20 pieces: a sentence each second or so, well within the time of a stage, and three seconds in all.
PIECE_EVERY_S = 0.3
# What a control worker says of a save; a reload of the same file may have come between.
SEEN = re.compile("catalogue reloaded|catalogue saved before the last reload")


async def shares(stack: Stack, device_id: str) -> Counter[str]:
    """Speak a whole cycle of turns; return how many transcripts each instance wrote."""
    since = stack.front.printed_bytes()
    async with stack.front.device(device_id) as device:
        for _ in range(CYCLE):
            assert (await device.says()).sentences == SENTENCES
    turns = stack.front.events("turn finished", since)
    return Counter(turn["asr_instance"] for turn in turns)


def weights(first: int, second: int) -> Callable[[Services], None]:
    """Return a change of the weights of both ASR instances."""

    def change(services: Services) -> None:
        services["asr"]["algorithm"] = "weighted_round_robin"
        for instance, weight in zip(services["asr"]["instances"], (first, second), strict=True):
            instance["weight"] = weight

    return change


def only_llm(number: int) -> Callable[[Services], None]:
    """Return a change that leaves one LLM instance."""

    def change(services: Services) -> None:
        kept = services["llm"]["instances"][number - 1]
        services["llm"]["instances"] = [{**kept, "name": f"llm-{number}"}]

    return change


def newcomer_alone(services: Services) -> None:
    """Leave one ASR instance, under a name that no process was started with."""
    services["asr"]["instances"] = [{**services["asr"]["instances"][0], "name": "newcomer"}]


async def test_a_changed_weight_moves_the_share_at_once(operator: Operator) -> None:
    for first, second in ((3, 1), (1, 3)):
        before = operator.revision()
        operator.saves(operator.text(weights(first, second)))
        eventually(lambda then=before: operator.revision() > then, what="the file is in force")  # type: ignore[misc]
        assert await shares(operator.stack, f"heavy-{first}") == {"asr-1": first, "asr-2": second}


async def test_an_instance_that_left_ends_its_stream_and_gets_no_new_call(operator: Operator) -> None:
    stack = operator.stack
    control = stack.workers["control"]
    logged = control.printed_bytes()
    operator.saves(operator.text(only_llm(1)))
    assert operator.reloads().returncode == 0
    # The control worker sees the saved file up to two seconds later; then it puts nothing more in force.
    eventually(lambda: SEEN.search(control.output(logged)), what="the saved file was seen")
    slow, quick = stack.instances.of("llm")
    slow.fault("drip", PIECE_EVERY_S)
    stack.instances.forget_asked()
    since = stack.front.printed_bytes()
    async with stack.front.device("patient") as patient, stack.front.device("late") as late:
        await patient.begins_to_say()
        await patient.hears(type="tts", state="sentence_start")
        # The control worker follows the file of the system, and might be the first to put a change in force.
        another = operator.file.with_name("another.yaml")
        another.write_text(operator.text(only_llm(2)), "utf-8")
        said = await operator.reloads_at_once(another)
        assert "llm: llm-1 leaves when its calls are over" in said
        assert (slow.in_flight, operator.names("llm")) == (1, ["llm-2"])
        assert operator.is_known("llm", "llm-1")
        assert (await late.says()).sentences == SENTENCES
        assert (await patient.answer()).sentences == SENTENCES
    turns = stack.front.events("turn finished", since)
    assert {turn["device"]: turn["llm_instance"] for turn in turns} == {"patient": "llm-1", "late": "llm-2"}
    # Nobody went on with what another had begun.
    assert len(stack.instances.asked()) == 2
    assert quick.in_flight == 0
    eventually(lambda: not operator.is_known("llm", "llm-1"), what="the instance that left is forgotten")


async def test_a_file_with_a_mistake_is_refused_with_its_line_and_the_old_one_stays(
    operator: Operator,
) -> None:
    before = operator.revision()
    control = operator.stack.workers["control"]
    since = control.printed_bytes()
    text = operator.text(weights(3, 1)).replace("weight: 3", "weight: -3")
    line = next(number for number, each in enumerate(text.splitlines(), start=1) if "weight: -3" in each)
    operator.saves(text)
    said = f"{operator.file}:{line}:"
    refused = operator.reloads()
    assert refused.returncode == 2
    assert said in refused.stderr
    assert "expected a number above 0" in refused.stderr
    eventually(lambda: said in control.output(since), what="the control worker refuses the file")
    assert operator.revision() == before
    assert sum((await shares(operator.stack, "steady")).values()) == CYCLE


async def test_workers_on_hosts_with_the_old_file_follow_and_never_roll_back(operator: Operator) -> None:
    stack = operator.stack
    stack.workers["asr"].stop()
    other = operator.worker_with_the_first_file("asr")
    try:
        other.start()
        await soon(lambda: asyncio.to_thread(stack.serves, "asr", other), what="the other worker is ready")
        operator.saves(operator.text(newcomer_alone))
        assert operator.reloads().returncode == 0
        revision = operator.revision()
        assert await shares(stack, "followed") == {"newcomer": CYCLE}
        other.stop()
        other.start()
        await soon(lambda: asyncio.to_thread(stack.serves, "asr", other), what="the other worker is back")
        assert (operator.revision(), operator.names("asr")) == (revision, ["newcomer"])
        assert await shares(stack, "still-followed") == {"newcomer": CYCLE}
    finally:
        other.stop()


async def test_a_pool_that_is_too_small_now_says_so(operator: Operator) -> None:
    worker = operator.stack.workers["llm"]
    since = worker.printed_bytes()
    operator.saves(operator.text(lambda services: services["llm"]["instances"][0].update(max_concurrent=40)))
    assert operator.reloads().returncode == 0
    eventually(lambda: "pool keeps its size" in worker.output(since), what="the worker says so")
    assert "slots=48" in worker.output(since)


async def test_a_broker_that_was_away_does_not_make_the_watched_file_the_latest_choice(
    operator: Operator,
) -> None:
    other = operator.file.with_name("other.yaml")
    other.write_text(operator.text(newcomer_alone), "utf-8")
    assert operator.reloads(config=other).returncode == 0
    control, broker = operator.stack.workers["control"], operator.stack.broker
    since = control.printed_bytes()
    broker.kill()
    eventually(lambda: "catalogue not looked after" in control.output(since), what="the broker is missed")
    broker.start()
    # It comes back empty, and is told of the latest choice by those that know it.
    eventually(lambda: operator.revision() > 0, what="a catalogue is in force again")
    eventually(lambda: operator.names("asr") == ["newcomer"], what="it is the one that was chosen last")
