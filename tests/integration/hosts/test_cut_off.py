"""The second of two hosts is cut off while its worker works for turns, and comes back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

import pytest

from dispatcher.redis_client import keys
from tests.integration.hosts.networked_system import hears_the_end, is_answered_soon, known_device
from tests.integration.hosts.two_hosts import HostFront, TwoHosts
from tests.support.device import Device
from tests.support.hosts import two_hosts
from tests.support.instances import SENTENCES
from tests.support.waiting import eventually, soon

DEVICES: Final = 4
TURNS_AFTER_THE_CUT: Final = 4
# A busy machine may look a little late.
LEASE_S: Final = keys.LEASE_TTL_MS / 1000 + 1.0
# The kernel tells of a lost peer after ten seconds, then everyone connects anew.
BACK_S: Final = 45.0


@pytest.fixture(scope="module")
def running_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoHosts]:
    """Two hosts that serve, for all tests of this file."""
    with two_hosts() as (a, b):
        hosts = TwoHosts(tmp_path_factory.mktemp("hosts"), a, b)
        try:
            hosts.start()
            yield hosts
        finally:
            hosts.stop()


@pytest.fixture
def hosts(running_hosts: TwoHosts) -> Iterator[TwoHosts]:
    """Both hosts, connected; what they logged is printed, which pytest shows when the test fails."""
    since = {process: process.printed_bytes() for process in running_hosts.processes}
    yield running_hosts
    running_hosts.b.plug_in()
    for process, byte in since.items():
        sys.stdout.write(f"--- {process.name}\n{process.output(byte)}\n")


@pytest.fixture
async def devices(hosts: TwoHosts) -> AsyncIterator[list[Device]]:
    """Devices of the network, all at the front of the first host."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(at(hosts.near_front, f"d{each}")) for each in range(DEVICES)]


def at(front: HostFront, name: str) -> AbstractAsyncContextManager[Device]:
    """Connect a device to a front, with a token of that front."""
    return known_device(front.url, front.socket_url, name)


async def test_a_token_of_one_host_is_good_on_the_other(hosts: TwoHosts) -> None:
    near, far = hosts.near_front, hosts.far_front
    async with known_device(near.url, far.socket_url, "roaming") as device:
        assert (await device.says()).sentences == SENTENCES


async def test_turns_whose_worker_is_cut_off_are_answered_by_the_other_host(
    hosts: TwoHosts, devices: list[Device]
) -> None:
    near_llm, far_llm = hosts.llms()
    hosts.near_takes(calls=False)
    for llm in (near_llm, far_llm):
        llm.fault("hang")
    answers = [asyncio.create_task(hears_the_end(device)) for device in devices]

    async def all_are_held() -> set[bytes]:
        held = await asyncio.to_thread(hosts.lease_ids)
        return held if len(held) >= DEVICES else set()

    await soon(all_are_held, what="the far worker works for every device")
    hosts.near_takes(calls=True)
    held = await asyncio.to_thread(hosts.lease_ids)
    hosts.b.pull_cable()
    near_llm.fault("none")

    async def are_free() -> bool:
        return not held & await asyncio.to_thread(hosts.lease_ids)

    await soon(are_free, what="the leases of the far host are free", within_s=LEASE_S)
    # Nothing had been spoken yet: each is sent again, and nobody hears that a host is gone.
    assert await asyncio.gather(*answers) == [SENTENCES] * DEVICES


async def test_turns_go_on_while_a_host_is_away_and_it_serves_again_without_a_restart(
    hosts: TwoHosts, devices: list[Device]
) -> None:
    for llm in hosts.llms():
        llm.fault("none")
    pids = [process.pid for process in (hosts.far, hosts.far_front)]

    async def converse(device: Device) -> list[tuple[str, ...]]:
        return [await hears_the_end(device) for _ in range(TURNS_AFTER_THE_CUT)]

    talking = [asyncio.create_task(converse(device)) for device in devices]
    await devices[0].hears_audio()
    hosts.b.pull_cable()
    spoken = [turn for turns in await asyncio.gather(*talking) for turn in turns]
    failed = [turn for turn in spoken if turn != SENTENCES]
    assert len(failed) <= DEVICES, f"more than the turns that were under way: {failed}"
    assert all(failed), "a turn without a word"
    hosts.b.plug_in()
    eventually(hosts.far_front.ready, what="the far front is ready again", within_s=BACK_S)
    hosts.near_takes(calls=False)
    async with at(hosts.far_front, "returned") as device:
        await is_answered_soon(device, within_s=BACK_S)
    assert [process.pid for process in (hosts.far, hosts.far_front)] == pids
    hosts.near_takes(calls=True)
