"""Alerts told to an address of the operator's, with a real server at the far end."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from dispatcher.catalogue.model import AlertRules
from dispatcher.control import webhook
from dispatcher.control.webhook import DELIVERY, MAX_ATTEMPTS, MAX_QUEUED, SENT_AT, SIGNATURE, Webhook
from tests.support.waiting import soon

SECRET = "the operator's own"


@dataclass
class Receiver:
    """A server that answers with these statuses in turn, then with 200."""

    server: TestServer
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[dict[str, str], bytes, float]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((dict(request.headers), await request.read(), time.monotonic()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    @property
    def rules(self) -> AlertRules:
        return AlertRules(webhook_url=str(self.server.make_url("/hook/token")), secret_env="HOOK_SECRET")


@pytest.fixture
async def receiver(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    """A receiver that is up."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    app = web.Application()
    receiver = Receiver(TestServer(app))
    app.router.add_post("/hook/token", receiver.answer)
    async with receiver.server:
        yield receiver


@pytest.fixture
async def hook() -> AsyncIterator[Webhook]:
    """A webhook that delivers, with short pauses."""
    hook = Webhook(first_pause_s=0.02)
    delivering = asyncio.create_task(hook.deliver())
    yield hook
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)


async def told(receiver: Receiver, times: int) -> None:
    async def arrived() -> bool:
        return len(receiver.asked) >= times

    await soon(arrived, what=f"{times} requests")


async def test_a_receiver_that_fails_twice_is_told_a_third_time_and_can_verify_who_speaks(
    receiver: Receiver, hook: Webhook
) -> None:
    receiver.statuses = [500, 429]
    hook.send_nowait(receiver.rules, {"name": "errors", "phase": "firing", "value": 0.2})
    await told(receiver, 3)
    headers, body, _ = receiver.asked[-1]
    assert json.loads(body) == {"name": "errors", "phase": "firing", "value": 0.2}
    signed = headers[SENT_AT].encode() + b"." + body
    wanted = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={wanted}"
    assert abs(time.time() - int(headers[SENT_AT])) < 60
    assert len({headers[DELIVERY] for headers, _, _ in receiver.asked}) == 1
    pauses = [after - before for (_, _, before), (_, _, after) in pairwise(receiver.asked)]
    assert pauses[0] >= 0.02
    assert pauses[1] >= 0.04


async def test_messages_arrive_in_their_order(receiver: Receiver, hook: Webhook) -> None:
    receiver.statuses = [503]
    for number in range(3):
        hook.send_nowait(receiver.rules, {"number": number})
    await told(receiver, 4)
    assert [json.loads(body)["number"] for _, body, _ in receiver.asked] == [0, 0, 1, 2]


@pytest.mark.parametrize(("status", "times"), [(400, 1), (302, 1), (500, MAX_ATTEMPTS)])
async def test_what_is_refused_or_fails_for_ever_is_given_up_without_showing_the_address(
    receiver: Receiver, hook: Webhook, status: int, times: int
) -> None:
    receiver.statuses = [status] * times
    hook._first_pause_s = 0.001
    with capture_logs() as logged:
        hook.send_nowait(receiver.rules, {"number": 1})
        hook.send_nowait(receiver.rules, {"number": 2})
        await told(receiver, times + 1)
    assert [line["reason"] for line in logged if line["event"] == "webhook message lost"] == [
        f"HTTP {status}"
    ]
    assert "token" not in str(logged)
    assert SECRET not in str(logged)


async def test_a_receiver_that_is_away_is_tried_again(hook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "MAX_ATTEMPTS", 3)
    with capture_logs() as logged:
        hook.send_nowait(AlertRules(webhook_url="http://127.0.0.1:9/"), {})

        async def given_up() -> bool:
            return any(line["event"] == "webhook message lost" for line in logged)

        await soon(given_up, what="the message is given up")


async def test_a_full_line_drops_the_oldest_and_never_waits() -> None:
    hook = Webhook()
    rules = AlertRules(webhook_url="http://127.0.0.1:9/")
    with capture_logs() as logged:
        for number in range(MAX_QUEUED + 2):
            hook.send_nowait(rules, {"number": number})
    assert [line["event"] for line in logged] == ["webhook message dropped"] * 2
    assert json.loads(hook._queue.get_nowait().body) == {"number": 2}


async def test_without_an_address_nobody_is_told_and_without_a_secret_nothing_is_signed(
    receiver: Receiver, hook: Webhook
) -> None:
    hook.send_nowait(AlertRules(), {"number": 1})
    hook.send_nowait(AlertRules(webhook_url=receiver.rules.webhook_url), {"number": 2})
    await told(receiver, 1)
    headers, body, _ = receiver.asked[0]
    assert json.loads(body) == {"number": 2}
    assert SIGNATURE not in headers
