"""A host that connects without end, seen from another one."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from tests.integration.hosts.networked_system import known_device
from tests.support.hosts import two_hosts
from tests.support.instances import SENTENCES
from tests.support.stack import Stack

MOST_OF_AN_ADDRESS = 20
# Connects 300 times without a word, waits until no more are open than may be, and tells how many are.
FLOOD = """
import select, socket, sys, time
opened = [socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=10) for _ in range(300)]
def still_open():
    closed, _, _ = select.select(opened, [], [], 0)
    return len(opened) - len(closed)

give_up_at = time.monotonic() + 60
while still_open() > int(sys.argv[3]) and time.monotonic() < give_up_at:
    time.sleep(0.05)
print(still_open(), flush=True)
sys.stdin.read()
"""


async def test_a_host_that_connects_without_end_keeps_its_share_and_others_are_answered(stack: Stack) -> None:
    with two_hosts() as (attacker, _):
        gateway = attacker.address.rpartition(".")[0] + ".1"
        limits = {"MAX_CONNECTIONS_PER_ADDRESS": str(MOST_OF_AN_ADDRESS)}
        async with stack.another_front(FRONT_HOST="0.0.0.0", SERVER_ID="flooded", **limits) as front:
            flood = await asyncio.create_subprocess_exec(
                *attacker.command(
                    *(sys.executable, "-c", FLOOD, gateway, str(front.port), str(MOST_OF_AN_ADDRESS))
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert flood.stdout is not None
            assert flood.stdin is not None
            still_open = int(await flood.stdout.readline())
            url = f"http://{gateway}:{front.port}"
            async with known_device(url, f"ws://{gateway}:{front.port}/xiaozhi/v1/", "victim") as device:
                assert (await device.says()).sentences == SENTENCES
            flood.stdin.close()
            await flood.wait()
    assert 0 < still_open <= MOST_OF_AN_ADDRESS
