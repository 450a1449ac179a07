"""`dispatcher replay` as a real process, on decisions that the real router made."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from dispatcher.redis_client.client import RedisClient
from tests.support.broker import Broker
from tests.support.fleet import llm
from tests.support.processes import BIN, ROOT, own_environment
from tests.support.recorded_calls import record_calls

INSTANCES = [llm("A", weight=3), llm("B", weight=1)]
TAKES_S = {"A": 0.01, "B": 0.03}
COUNT = 200


async def replay(broker: Broker, *words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(str(BIN / "dispatcher"), "replay", *words),
        cwd=ROOT,
        env=own_environment({"REDIS_URL": broker.url}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    assert "Traceback" not in out.decode()
    return process.returncode, " ".join(out.decode().split())


async def everything(redis: RedisClient) -> dict[bytes, bytes]:
    """Return all that Redis holds, key by key."""
    names = sorted(await redis.execute("KEYS", "*"))
    return {name: await redis.execute("DUMP", name) for name in names}


def attempts(said: str, name: str) -> tuple[int, int]:
    """Return how many attempts an instance had, recorded and replayed."""
    found = re.search(rf" {name} (\d+) → (\d+) ", said)
    assert found, said
    return int(found[1]), int(found[2])


async def test_calls_that_took_turns_go_by_weight_in_the_replay(broker: Broker, redis: RedisClient) -> None:
    await record_calls(redis, "round_robin", INSTANCES, count=COUNT, takes_s=TAKES_S)
    before = await everything(redis)
    code, said = await replay(broker, "--algorithm", "weighted_round_robin")
    assert code == 0, said
    assert f"{COUNT} calls in " in said
    assert "of llm, recorded → replayed under weighted_round_robin" in said
    assert sum(attempts(said, name)[0] for name in "AB") == COUNT
    then, now = attempts(said, "A")
    assert then < 0.7 * COUNT
    # Three of four, but for calls that found all slots of A taken.
    assert now > 0.7 * COUNT
    assert "are as recorded (the call stayed on its instance)" in said
    assert re.search(r" [1-9]\d* moved and are estimated from the 20 calls recorded nearest in time", said)
    assert await everything(redis) == before


async def test_a_recorded_failure_stays_one_and_goes_on_elsewhere(broker: Broker, redis: RedisClient) -> None:
    await record_calls(redis, "round_robin", INSTANCES, count=60, takes_s=TAKES_S, failing="B")
    code, said = await replay(broker, "--algorithm", "round_robin")
    assert code == 0, said
    failed = re.search(r" B \d+ → \d+ .*? (\d+) → (\d+) all ", said)
    assert failed, said
    assert int(failed[1]) > 0
    assert int(failed[2]) > 0
    assert "calls that failed in the end: 0 recorded, 0 replayed" in said


async def test_another_file_brings_other_caps_and_an_instance_that_nobody_knows(
    broker: Broker, redis: RedisClient, tmp_path: Path
) -> None:
    await record_calls(redis, "round_robin", INSTANCES, count=60, takes_s=TAKES_S)
    file = tmp_path / "mine.yaml"
    text = (ROOT / "config" / "embedded.yaml").read_text("utf-8")
    file.write_text(text.replace("llm-1", "A").replace("llm-2", "new"), "utf-8")
    code, said = await replay(broker, "--config", str(file), "--algorithm", "round_robin")
    assert code == 0, said
    assert attempts(said, "B")[1] == 0
    assert attempts(said, "new")[1] > 0
    assert "went to an instance of which nothing is recorded" in said


async def test_the_calls_of_one_turn_are_told_one_by_one(broker: Broker, redis: RedisClient) -> None:
    await record_calls(redis, "round_robin", INSTANCES, count=40, takes_s=TAKES_S)
    code, said = await replay(broker, "--algorithm", "least_connections", "--turn", "turn-0007")
    assert code == 0, said
    assert re.search(
        r" 1 [AB] ok \d+ ms [AB] ok \d+ ms( \(moved\))? least_connections: normal priority", said
    )


async def test_with_too_little_recorded_it_says_so(broker: Broker, redis: RedisClient) -> None:
    await record_calls(redis, "round_robin", INSTANCES, count=10, takes_s=TAKES_S)
    code, said = await replay(broker)
    assert code != 0
    assert "10 finished llm calls are recorded; a replay needs at least 20" in said


async def test_before_anything_ran_it_says_so(broker: Broker) -> None:
    code, said = await replay(broker)
    assert (code, said) == (
        1,
        "no catalogue is in force yet; start the dispatcher first, or give --config",
    )
