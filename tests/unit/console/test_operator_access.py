"""Signing in to the console, and what an operator may do there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from dispatcher.console import operator_actions
from dispatcher.console.action_log import read_actions
from dispatcher.console.app import create_console
from dispatcher.console.operator_sessions import (
    MAX_SESSIONS,
    MAX_TRIES,
    MAX_TRIES_PER_ADDRESS,
    SESSION_S,
    TRIES_WINDOW_S,
    OperatorSessions,
    TooManyTriesError,
)
from dispatcher.control import tuner_store
from dispatcher.control.overload_status import read_overload
from dispatcher.control.rules.actions import Action, Change
from dispatcher.control.rules.evidence import Measures
from dispatcher.control.rules.experiment import TunerExperiment
from dispatcher.control.rules.tuner_state import TunerState
from dispatcher.devices import registry
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import read_overview
from dispatcher.settings import Settings
from tests.support.broker import Broker
from tests.support.fleet import Fleet, llm

Client = TestClient[Any, Any]
PASSWORD = "open sesame"
# As a proxy on this host sends them on: the request is nobody's in particular.
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
MAC = "02:00:00:00:00:17"


@pytest.fixture
async def client(broker: Broker, tmp_path: Path) -> AsyncIterator[Client]:
    """A browser of a console over the broker of the test."""
    settings = Settings(redis_url=broker.url, data_dir=tmp_path, operator_password=PASSWORD)
    async with TestClient(TestServer(create_console(settings))) as opened:
        yield opened


async def sign_in(client: Client, password: str = PASSWORD, **headers: str) -> tuple[int, Any]:
    """Return the status and what is told of the session."""
    body = {"name": "Ada", "password": password}
    async with client.post("/session", json=body, headers=headers) as response:
        return response.status, await (response.json() if response.status == 200 else response.text())


async def act(client: Client, csrf: str, **action: str) -> tuple[int, str]:
    """Return the status of an action, and its text."""
    async with client.post("/actions", json=action, headers={"X-CSRF-Token": csrf}) as response:
        return response.status, await response.text()


async def test_who_signs_in_may_read_from_elsewhere(client: Client) -> None:
    async with client.get("/history/hour", headers=ELSEWHERE) as response:
        assert response.status == 403
    async with client.post("/session", json={"name": "Ada", "password": PASSWORD}) as response:
        cookie = response.headers["Set-Cookie"]
    assert cookie.endswith("; HttpOnly; SameSite=Strict")
    async with client.get("/history/hour", headers=ELSEWHERE) as response:
        assert response.status == 200
    async with client.get("/session") as response:
        told = await response.json()
    assert (told["name"], told["may_read"]) == ("Ada", True)
    async with client.delete("/session", headers={"X-CSRF-Token": told["csrf"]}) as response:
        assert response.status == 200
    async with client.get("/history/hour", headers=ELSEWHERE) as response:
        assert response.status == 403


async def test_wrong_passwords_are_limited_also_for_the_right_one(client: Client) -> None:
    for guess in ("a guess", "\ud800", "2", "3", "4")[:MAX_TRIES_PER_ADDRESS]:
        assert await sign_in(client, guess) == (403, "wrong password")
    assert await sign_in(client) == (429, "too many wrong passwords; try again in a minute")


async def test_guesses_through_a_proxy_do_not_lock_out_this_host(client: Client) -> None:
    for _ in range(MAX_TRIES_PER_ADDRESS):
        assert (await sign_in(client, "a guess", **ELSEWHERE))[0] == 403
    assert (await sign_in(client, **ELSEWHERE))[0] == 429
    assert (await sign_in(client))[0] == 200


async def test_behind_a_trusted_proxy_each_address_has_its_own_tries(broker: Broker, tmp_path: Path) -> None:
    settings = Settings(
        redis_url=broker.url,
        data_dir=tmp_path,
        operator_password=PASSWORD,
        trusted_proxies="127.0.0.1",  # type: ignore[arg-type]
    )
    async with TestClient(TestServer(create_console(settings))) as client:
        for _ in range(MAX_TRIES_PER_ADDRESS):
            assert (await sign_in(client, "a guess", **ELSEWHERE))[0] == 403
        assert (await sign_in(client, **ELSEWHERE))[0] == 429
        another = {"X-Forwarded-For": "203.0.113.10", "X-Forwarded-Proto": "https"}
        body = {"name": "Ada", "password": PASSWORD}
        async with client.post("/session", json=body, headers=another) as response:
            assert response.status == 200
            assert response.headers["Set-Cookie"].endswith("; Secure")


async def test_a_name_that_cannot_be_shown_is_refused(client: Client) -> None:
    body = {"name": "\ud800", "password": PASSWORD}
    async with client.post("/session", json=body) as response:
        assert (response.status, await response.text()) == (
            400,
            "name: had U+D800 as character 1; expected printable characters",
        )


@pytest.mark.parametrize("body", ['{"name": "Ada"}', "[]", "no JSON", "[" * 50_000])
async def test_a_sign_in_that_cannot_be_read_is_refused(client: Client, body: str) -> None:
    async with client.post("/session", data=body, headers={"Content-Type": "application/json"}) as response:
        assert response.status == 400
    async with client.post("/session", data={"name": "Ada", "password": PASSWORD}) as response:
        assert response.status == 415
    unknown = {"Content-Type": "application/json; charset=nowhere"}
    async with client.post("/session", data=body, headers=unknown) as response:
        assert response.status == 400


async def test_an_action_needs_the_session_and_its_token(fleet: Fleet, client: Client) -> None:
    await fleet.configure("round_robin", llm("A"))
    assert (await act(client, "", action="drain", subject="A"))[0] == 403
    await sign_in(client)
    assert (await act(client, "a guess", action="drain", subject="A"))[0] == 403
    assert (await read_overview(fleet.redis)).instances[0].state == "ready"


async def test_instances_are_drained_restored_and_ejected_and_it_is_kept_who_did_so(
    fleet: Fleet, client: Client
) -> None:
    await fleet.configure("round_robin", llm("A"))
    csrf = (await sign_in(client))[1]["csrf"]

    async def state_after(**action: str) -> str:
        status, text = await act(client, csrf, subject="A", **action)
        assert status == 200, text
        return (await read_overview(fleet.redis)).instances[0].state

    assert await state_after(action="drain", why="new model") == "draining"
    assert await state_after(action="restore") == "slow start"
    assert await state_after(action="eject", value="60") == "ejected"
    kept = [json.loads(one) for one in await fleet.redis.execute("LRANGE", keys.OPERATOR_ACTIONS, 0, -1)]
    told = [(each["who"], each["what"], each["subject"], each["value"], each["why"]) for each in kept]
    assert told == [
        ("Ada", "eject", "A", "60", ""),
        ("Ada", "restore", "A", "", ""),
        ("Ada", "drain", "A", "", "new model"),
    ]


async def test_devices_are_named_blocked_and_let_in_again(redis: RedisClient, client: Client) -> None:
    csrf = (await sign_in(client))[1]["csrf"]
    assert (await act(client, csrf, action="name", subject=MAC, value="kitchen"))[0] == 200
    assert (await act(client, csrf, action="block", subject=MAC))[0] == 200
    device = await registry.read(redis, MAC)
    assert (device.name, device.blocked) == ("kitchen", True)
    assert (await act(client, csrf, action="unblock", subject="kitchen"))[0] == 200
    assert not (await registry.read(redis, MAC)).blocked


async def test_the_step_of_overload_is_pinned_in_the_name_of_who_signed_in(
    redis: RedisClient, client: Client
) -> None:
    csrf = (await sign_in(client))[1]["csrf"]
    assert (await act(client, csrf, action="pin", subject="overload", value="2"))[0] == 200
    pin = (await read_overload(redis)).pin
    assert pin is not None
    assert (pin.step, pin.by) == (2, "Ada")
    assert (await act(client, csrf, action="pin", subject="overload", value="auto"))[0] == 200
    assert (await read_overload(redis)).pin is None
    assert [each["value"] for each in await read_actions(redis)] == ["auto", "2"]


@pytest.mark.parametrize(
    ("action", "status", "text"),
    [
        ({"action": "drain", "subject": "B"}, 400, "no instance is called 'B'"),
        ({"action": "explode", "subject": "A"}, 400, "action: was 'explode'; expected one of drain"),
        ({"action": "drain"}, 400, "subject: was empty; expected a name"),
        ({"action": "drain", "subject": "A", "why": "\ud800"}, 400, "why: had U+D800 as character 1"),
        ({"action": "drain", "subject": "A", "why": "\u202e"}, 400, "why: had U+202E as character 1"),
        ({"action": "alert", "subject": MAC, "value": "x" * 201}, 400, "value: had 201 characters; expected"),
        (
            {"action": "eject", "subject": "A", "value": "-5"},
            400,
            "value: was '-5'; expected a number above 0",
        ),
        ({"action": "pin", "subject": "overload", "value": "6"}, 400, "value: was '6'; expected one of 0"),
        ({"action": "undo", "subject": "7"}, 400, "experiment 7 is not in force"),
        ({"action": "undo", "subject": "1.5"}, 400, "subject: was '1.5'; expected a number"),
        ({"action": "undo", "subject": "x"}, 400, "subject: was 'x'; expected a number"),
        ({"action": "name", "subject": MAC, "value": "x" * 65}, 400, "expected at most 64 characters"),
        ({"action": "persona", "subject": MAC, "value": "nobody"}, 400, "no persona is called 'nobody'"),
        ({"action": "reboot", "subject": MAC}, 409, "no front answers"),
        ({"action": "alert", "subject": MAC, "value": "hello"}, 409, "no front answers"),
        ({"action": "alert", "subject": MAC}, 400, "value: was empty; expected the message"),
    ],
)
async def test_an_action_that_cannot_be_done_says_why_and_is_not_kept(
    fleet: Fleet, client: Client, action: dict[str, str], status: int, text: str
) -> None:
    await fleet.configure("round_robin", llm("A"))
    csrf = (await sign_in(client))[1]["csrf"]
    found = await act(client, csrf, **action)
    assert found[0] == status
    assert text in found[1]
    assert await fleet.redis.execute("LLEN", keys.OPERATOR_ACTIONS) == 0


async def test_an_undo_that_nobody_has_done_yet_is_kept_as_begun(
    redis: RedisClient, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_actions, "UNDO_TIMEOUT_S", 0.0)
    action = Action(kind="cap", target="llm/a", changes=(Change(what="llm/a", before=None, after=4),))
    kept = TunerExperiment(
        number=7, begun_at_s=1.0, cause="errors", action=action, why="it fails", before=Measures(errors=0.5)
    )
    await tuner_store.save(redis, TunerState(kept=(kept,)))
    csrf = (await sign_in(client))[1]["csrf"]
    status, text = await act(client, csrf, action="undo", subject="7")
    assert (status, "does a worker of queue control run" in text) == (503, True)
    assert [each["state"] for each in await read_actions(redis)] == ["begun"]


async def test_an_action_that_is_no_object_is_refused(client: Client) -> None:
    csrf = (await sign_in(client))[1]["csrf"]
    async with client.post("/actions", data="[]", headers={"X-CSRF-Token": csrf}) as response:
        assert response.status == 400


def test_a_session_ends_by_itself_and_the_oldest_makes_room() -> None:
    now_s = [0.0]
    sessions = OperatorSessions(PASSWORD, now=lambda: now_s[0])
    first, *_ = (
        sessions.try_sign_in(PASSWORD, name=str(number), address="") for number in range(MAX_SESSIONS + 1)
    )
    last = sessions.try_sign_in(PASSWORD, name="last", address="")
    assert first is not None
    assert last is not None
    assert sessions.find(first.token) is None
    assert sessions.find(last.token) is last
    now_s[0] = SESSION_S
    assert sessions.find(last.token) is None


def test_tries_are_forgotten_after_a_minute_and_limited_over_all_addresses() -> None:
    now_s = [0.0]
    sessions = OperatorSessions(PASSWORD, now=lambda: now_s[0])
    for number in range(MAX_TRIES):
        assert sessions.try_sign_in("a guess", name="", address=str(number)) is None
    with pytest.raises(TooManyTriesError):
        sessions.try_sign_in(PASSWORD, name="", address="another")
    assert sessions.try_sign_in(PASSWORD, name="", address=None) is not None, "this host is not locked out"
    now_s[0] = TRIES_WINDOW_S + 1
    assert sessions.try_sign_in(PASSWORD, name="", address="another") is not None
