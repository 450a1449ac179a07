"""Switch of a timed instance, against one in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from dispatcher.bundled.fault_setting import read_fault
from dispatcher.ops.fault_switch import FaultSwitch, FaultUnavailable


class SwitchedInstance:
    """Remembers what its switch was set to; `status` is its answer."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status = 200

    async def answer(self, request: web.Request) -> web.Response:
        if request.can_read_body:
            self.bodies.append(await request.json())
        return web.Response(status=self.status, text="no such mode")


@pytest.fixture
def instance() -> SwitchedInstance:
    return SwitchedInstance()


@pytest.fixture
async def switch(instance: SwitchedInstance) -> AsyncGenerator[FaultSwitch]:
    app = web.Application()
    app.router.add_route("*", "/faults", instance.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield FaultSwitch(session=session, name="llm-1", url=url)
    await runner.cleanup()


async def test_a_fault_is_set_with_its_number_and_its_end(
    instance: SwitchedInstance, switch: FaultSwitch
) -> None:
    await switch.set(read_fault("stall-after=3"), for_s=18)
    await switch.set(read_fault("hang"))

    assert instance.bodies == [
        {"mode": "stall-after", "value": 3.0, "for_s": 18},
        {"mode": "hang", "value": None},
    ]


async def test_a_refused_fault_names_instance_and_reason(
    instance: SwitchedInstance, switch: FaultSwitch
) -> None:
    instance.status = 400

    with pytest.raises(FaultUnavailable, match="llm-1 refused hang: no such mode"):
        await switch.set(read_fault("hang"))


async def test_an_instance_without_a_switch_is_told_from_one_that_is_unreachable(
    instance: SwitchedInstance, switch: FaultSwitch, unused_tcp_port: int
) -> None:
    assert await switch.exists()
    instance.status = 404
    assert not await switch.exists()
    nobody = FaultSwitch(session=switch.session, name="tts-1", url=f"http://127.0.0.1:{unused_tcp_port}")
    assert not await nobody.exists()
    with pytest.raises(FaultUnavailable, match="tts-1 cannot be told to fail"):
        await nobody.set(read_fault("hang"))
