"""The operator's commands against a real Valkey: their words, their codes, and what they do to picks.

Those that wait, or find no Redis, are processes of their own.
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.leases import Slot
from tests.support.broker import Broker
from tests.support.commands import Said, command_beside
from tests.support.fleet import Fleet, llm
from tests.support.processes import BIN, ROOT, Process, own_environment
from tests.support.waiting import eventually

TURN = "5f0c1d2e3b4a4f5e"


Command = Callable[..., Awaitable[Said]]


async def run_process(redis_url: str, *words: str) -> Said:
    process = await asyncio.create_subprocess_exec(
        *(str(BIN / "dispatcher"), *words),
        cwd=ROOT,
        env=own_environment({"REDIS_URL": redis_url}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return Said(code=process.returncode, out=out.decode(), err=err.decode())


@pytest.fixture
def command(broker: Broker) -> Command:
    """Return a runner of `dispatcher` commands on this broker."""

    def start(*words: str) -> Awaitable[Said]:
        return command_beside({"REDIS_URL": broker.url}, *words)

    return start


@pytest.fixture
async def fleet(redis: RedisClient) -> Fleet:
    """Two LLM instances that take turns."""
    fleet = Fleet(redis)
    await fleet.configure("round_robin", llm("llm-1"), llm("llm-2", cap=3))
    return fleet


async def test_a_drained_instance_gets_no_call_from_the_next_pick_on_until_it_is_restored(
    fleet: Fleet, command: Command
) -> None:
    await fleet.hold_on(2)
    said = await command("drain", "llm-1")
    assert (said.code, said.out) == (
        0,
        "llm-1 is draining: 1 of 10 slots in use, no new calls until `dispatcher restore llm-1`\n",
    )
    assert said.err == ""
    assert await fleet.pick_in_turn(6) == "llm-2" * 6
    assert (await command("restore", "llm-1")).out.startswith("llm-1 is back: 1 of 10 slots in use")
    assert {(await fleet.pick()).name for _ in range(2)} == {"llm-1", "llm-2"}


async def test_an_ejected_instance_is_out_from_the_next_pick_on_until_it_is_restored(
    fleet: Fleet, command: Command
) -> None:
    said = await command("eject", "llm-1", "--for", "90s")
    assert said.code == 0
    assert said.out.startswith("llm-1 is ejected: 0 of 10 slots in use, no new calls for 1 min ")
    assert {slot.name for slot in [await fleet.pick() for _ in range(3)]} == {"llm-2"}
    await command("restore", "llm-1")
    assert (await fleet.pick()).name == "llm-1"


async def test_an_ejection_lasts_five_minutes_when_nothing_is_said(fleet: Fleet, command: Command) -> None:
    assert (await command("eject", "llm-1")).code == 0
    await fleet.time_passes(290, "llm-1")
    assert (await fleet.pick()).name == "llm-2"
    await fleet.time_passes(20, "llm-1")
    assert (await fleet.pick()).name == "llm-1"


async def test_a_held_weight_and_cap_count_at_once_and_are_shown_with_who_holds_them(
    fleet: Fleet, command: Command
) -> None:
    said = await command("weight", "llm-1", "4", "--for", "1h")
    assert (said.code, said.out) == (0, "llm-1: weight 4 for 3600 s\n"), said.err
    assert (await command("cap", "llm-2", "1")).out == "llm-2: cap 1 until `dispatcher cap llm-2 auto`\n"
    first, second = json.loads((await command("status", "--json")).out)["services"][1]["instances"]
    assert (first["effective_weight"], second["cap"], second["cap_held"]["left_s"]) == (4, 1, None)
    assert first["weight_held"]["by"]
    await fleet.hold_on(2)
    assert (await fleet.pick()).name == "llm-1"
    assert (await command("cap", "llm-2", "1.5")).err.endswith(
        "expected a whole number of 1 to 1000000, or auto\n"
    )


@pytest.mark.usefixtures("fleet")
async def test_who_drains_the_last_usable_instance_is_warned(command: Command) -> None:
    assert "warning" not in (await command("drain", "llm-1")).err
    said = await command("drain", "llm-2")
    assert "warning: all llm instances are draining, so every call fails" in said.err


async def test_status_shows_what_the_operator_did_and_what_waits(fleet: Fleet, command: Command) -> None:
    await fleet.hold_on(3)
    await command("drain", "llm-1")
    await fleet.call_ends("llm-2", "ok", latency_ms=321)
    await fleet.call_ends("llm-2", "failed", times=3)
    await fleet.redis.execute("LPUSH", "llm", "task")
    said = await command("status")
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in said.out.splitlines() if line}
    assert said.code == 0
    assert rows["llm-1"] == "draining 1 2/10 – – 0.0 %"
    assert rows["llm-2"].startswith("ejected, ")
    assert " 1/3 321 321 27.1 % 3 calls failed in a row, " in rows["llm-2"]
    assert rows["llm"] == "round_robin 1 0"
    assert "\x1b" not in said.out


async def test_status_as_json_is_one_object(fleet: Fleet, command: Command) -> None:
    await fleet.hold_on(1)
    seen = json.loads((await command("status", "--json")).out)
    assert seen["queues"] == {"asr": 0, "llm": 0, "tts": 0, "control": 0}
    first, second = seen["services"][1]["instances"]
    assert (first["name"], first["state"], first["in_flight"], first["cap"]) == ("llm-1", "ready", 1, 10)
    assert (second["name"], second["latency_ewma_ms"]) == ("llm-2", None)


async def test_status_of_an_empty_redis_says_that_nothing_has_started(command: Command) -> None:
    said = await command("status")
    assert said.code == 0
    assert "no instances yet" in said.out


async def test_watch_goes_on_until_it_is_interrupted(
    fleet: Fleet, broker: Broker, command: Command, tmp_path: Path
) -> None:
    watch = Process(
        "watch",
        [str(BIN / "dispatcher"), "status", "--watch"],
        folder=tmp_path,
        environ={"REDIS_URL": broker.url},
    )
    watch.start()
    try:
        eventually(lambda: "ready" in watch.output(), what="the first table")
        await command("drain", "llm-2")
        eventually(lambda: "draining" in watch.output(), what="the drained instance in a later table")
        watch.send_signal(signal.SIGINT)
        assert watch.ends() == 0
    finally:
        watch.kill()
    assert "Traceback" not in watch.output()
    assert (await fleet.pick()).name == "llm-1"


async def test_why_tells_each_call_of_a_turn(fleet: Fleet, command: Command) -> None:
    slots = [await fleet.try_pick(turn_id=TURN) for _ in range(3)]
    first, second, third = slots
    assert isinstance(first, Slot)
    assert isinstance(second, Slot)
    assert isinstance(third, Slot)
    await fleet.renew_for_long(third)
    await fleet.finish(first, "failed", latency_ms=40)
    await fleet.finish(second, "ok", latency_ms=312)
    said = await command("why", TURN[:8])
    lines = [" ".join(line.split()) for line in said.out.splitlines()]
    assert said.code == 0
    assert lines[0].startswith(f"turn {TURN}, 3 calls from ")
    assert lines[1].endswith("llm to llm-1: failed after 40 ms")
    assert lines[2:4] == [
        "because round_robin: normal priority, in turn",
        "among llm-1 0/10, llm-2 0/3",
    ]
    assert lines[4].endswith("llm to llm-2: ok after 312 ms")
    assert lines[7].endswith("llm to llm-1: under way")


async def test_why_of_an_unknown_turn_is_one_line(fleet: Fleet, command: Command) -> None:
    await fleet.pick()
    said = await command("why", "999999")
    assert (said.code, said.out) == (1, "")
    assert said.err == "no call of turn 999999 among the 1 entries that are kept of decisions\n"


@pytest.mark.parametrize("words", [("drain",), ("restore",), ("eject", "--for", "1m")])
async def test_an_unknown_instance_is_answered_with_those_there_are(
    fleet: Fleet, command: Command, words: tuple[str, ...]
) -> None:
    said = await command(*words, "lm-1")
    assert (said.code, said.out) == (1, "")
    assert said.err == "no instance is called 'lm-1'; there are llm-1, llm-2\n"
    assert await fleet.fields("lm-1") == {}


@pytest.mark.parametrize(
    "words", [("status",), ("status", "--watch"), ("drain", "llm-1"), ("why", "abcdef"), ("eject", "llm-1")]
)
async def test_a_redis_that_is_away_is_one_line_without_its_password(words: tuple[str, ...]) -> None:
    said = await run_process("redis://:secret@127.0.0.1:9/0", *words)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("no Redis answers at 127.0.0.1:9; ")
    assert len(said.err.splitlines()) == 1
    assert "secret" not in said.err
