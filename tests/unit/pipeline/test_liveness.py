from __future__ import annotations

import asyncio

import pytest

from dispatcher.pipeline.attempt import now
from dispatcher.pipeline.liveness import Liveness


async def test_thinking_moves_the_deadline_as_far_as_its_time_out_allows() -> None:
    async with asyncio.timeout(5) as deadline:
        liveness = Liveness(lambda: None, deadline, deadline_at_s=100.0, thinking_timeout_s=8.0)
        began_at = now()
        for is_thinking in (True, True, False):
            liveness.mark_alive(is_thinking=is_thinking)
            await asyncio.sleep(3.0)
        assert liveness.deadline_at_s == pytest.approx(106.0)
        liveness.mark_alive(is_thinking=True)
        await asyncio.sleep(1.0)
        liveness.mark_alive(is_thinking=True)
        liveness.stop_heartbeat()
        when = deadline.when()
        assert when is not None
        assert when - began_at == pytest.approx(5.0 + 7.0)


async def test_a_stream_that_thinks_is_alive_between_its_signs_of_life() -> None:
    sent: list[float] = []
    async with asyncio.timeout(60) as deadline:

        def send_alive() -> None:
            sent.append(now())
            liveness.mark_sent()

        liveness = Liveness(send_alive, deadline, deadline_at_s=100.0, thinking_timeout_s=60.0)
        liveness.mark_alive(is_thinking=True)
        await asyncio.sleep(10.5)
        assert len(sent) == 10
        liveness.stop_heartbeat()
        await asyncio.sleep(10.5)
        assert len(sent) == 10


async def test_what_was_sent_is_a_sign_of_life_as_well() -> None:
    sent: list[float] = []
    async with asyncio.timeout(60) as deadline:
        liveness = Liveness(lambda: sent.append(now()), deadline, deadline_at_s=1.0, thinking_timeout_s=60.0)
        for _ in range(5):
            await asyncio.sleep(0.9)
            liveness.mark_alive(is_thinking=False)
            liveness.mark_sent()
    assert not sent
