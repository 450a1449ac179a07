"""What can be done to instances here, by a supervisor or by the operator's hook."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from pathlib import Path

import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dispatcher.control import instance_control
from dispatcher.control.instance_control import (
    NO_HOOK,
    SupervisorOffer,
    hook_words,
    missing_operations,
    operable,
    read_added,
    read_offer,
    run_hook,
    show_offer,
)
from dispatcher.control.rules.actions import Action, Change, Kind
from dispatcher.control.rules.evidence import Operable
from dispatcher.errors import ActionRefused
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from tests.support.waiting import WAIT_TIMEOUT_S, eventually, until
from tests.unit.control.rules.tuner_ticks import llm

OFFER = SupervisorOffer(
    growable=frozenset({"asr"}), restartable=frozenset({"llm/a", "llm/gone"}), throttle="affinity"
)


async def test_an_offer_is_read_as_it_was_shown_and_that_of_another_version_offers_nothing(
    redis: RedisClient,
) -> None:
    assert await read_offer(redis) is None
    await show_offer(redis, OFFER)
    assert await read_offer(redis) == OFFER
    await redis.execute("SET", keys.supervisor(socket.gethostname()), 1)
    assert await read_offer(redis) == SupervisorOffer()


def test_a_supervisor_does_what_it_keeps_and_a_hook_is_asked_for_anything() -> None:
    known = (llm("a"), llm("b"))
    own = operable(OFFER, "", known)
    assert own == Operable(growable=frozenset({"asr"}), restartable=frozenset({"llm/a"}), can_throttle=True)
    asked = operable(None, "hook", known)
    assert asked == Operable(
        growable=frozenset({"asr", "llm", "tts"}),
        restartable=frozenset({"llm/a", "llm/b"}),
        can_throttle=True,
    )


@pytest.mark.parametrize(
    ("kind", "target", "covered"),
    [
        ("instance", "asr", True),
        ("instance", "tts", False),
        ("restart_instance", "llm/a", True),
        ("restart_instance", "llm/b", False),
        ("throttle", "instances", True),
    ],
)
def test_an_offer_covers_what_it_names(kind: Kind, target: str, covered: bool) -> None:  # noqa: FBT001
    assert OFFER.covers(kind, target) is covered


def test_what_cannot_act_here_is_named_with_its_reason() -> None:
    assert dict(missing_operations(OFFER, "")) == {}
    assert dict(missing_operations(None, "hook")) == {}
    alone = dict(missing_operations(None, ""))
    assert set(alone) == {"instance", "restart_instance", "throttle"}
    assert all(NO_HOOK in reason for reason in alone.values())
    one_core = SupervisorOffer(growable=OFFER.growable, restartable=OFFER.restartable, no_throttle="one core")
    assert dict(missing_operations(one_core, "")) == {"throttle": "one core"}


def _set(kind: Kind, target: str, after: int | None) -> Action:
    return Action(kind=kind, target=target, changes=(Change(what=target, before=0, after=after),))


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (_set("instance", "asr", 2), ("instances", "asr", "2")),
        (_set("instance", "asr", None), ("instances", "asr", "0")),
        (Action(kind="restart_instance", target="llm/a"), ("restart", "llm", "a")),
        (_set("throttle", "instances", 1), ("throttle", "on")),
        (_set("throttle", "instances", None), ("throttle", "off")),
    ],
)
def test_a_hook_is_told_what_is_to_be_there(action: Action, words: tuple[str, ...]) -> None:
    assert hook_words(action) == words


def test_further_instances_of_a_hook_are_like_one_that_is_known() -> None:
    known = frozenset({"asr/asr-1"})
    said = "asr-1 http://10.0.0.7:8100\nasr-1 http://10.0.0.8:8100\n"
    assert read_added(said, "asr", known) == {
        "asr-1-extra-1": "http://10.0.0.7:8100/v1",
        "asr-1-extra-2": "http://10.0.0.8:8100/v1",
    }
    assert read_added("", "asr", known) == {}
    for wrong in ("asr-9 http://x", "done", "asr-1 ftp://x"):
        with pytest.raises(ActionRefused, match="expected INSTANCE URL"):
            read_added(wrong, "asr", known)


def program(folder: Path, text: str) -> str:
    path = folder / "hook"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def is_running(pid: int) -> bool:
    """Return whether a process works on; a zombie that nobody waits for does not."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_program_is_run_with_the_words_and_its_last_complaint_is_the_reason(tmp_path: Path) -> None:
    assert (
        await run_hook(program(tmp_path, 'echo "$1+$2+$3"'), ("instances", "asr", "1")) == "instances+asr+1\n"
    )
    with pytest.raises(ActionRefused, match=r"^no room$"):
        await run_hook(program(tmp_path, "echo first >&2; echo no room >&2; exit 3"), ("throttle", "on"))
    with pytest.raises(ActionRefused, match="ended with code 3"):
        await run_hook(program(tmp_path, "exit 3"), ("throttle", "on"))
    with pytest.raises(ActionRefused, match="cannot be reached"):
        await run_hook(str(tmp_path / "nowhere"), ("throttle", "on"))
    with pytest.raises(ActionRefused, match=NO_HOOK):
        await run_hook("", ("throttle", "on"))


async def test_a_program_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_control, "HOOK_TIMEOUT_S", 0.2)
    with pytest.raises(ActionRefused, match="not done after"):
        await run_hook(program(tmp_path, "exec sleep 60"), ("throttle", "on"))


async def test_what_a_program_that_hangs_has_started_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Time-outs cancel it in the same way, but one might come before the program has started anything.
    monkeypatch.setattr(instance_control, "HOOK_TIMEOUT_S", WAIT_TIMEOUT_S)
    pid_file = tmp_path / "pid"
    hook = program(tmp_path, f"sleep 600 & echo $! > {pid_file}; wait")
    running = asyncio.create_task(run_hook(hook, ("throttle", "on")))
    await until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"), what="it has a child")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    left = int(pid_file.read_text())
    eventually(lambda: not is_running(left), what="its child has ended")


async def test_a_program_is_done_though_what_it_started_keeps_its_output_open(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    script = f"sleep 600 & echo $! > {pid_file}; echo asr-1 http://asr:8100"
    try:
        answer = await run_hook(program(tmp_path, script), ("instances", "asr", "1"))
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
    assert answer == "asr-1 http://asr:8100\n"


async def test_a_program_that_prints_without_end_is_killed_at_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instance_control, "HOOK_TIMEOUT_S", 1.0)
    with pytest.raises(ActionRefused, match="not done after 1 s"):
        await run_hook(program(tmp_path, "exec yes"), ("throttle", "on"))


async def test_the_last_complaint_of_many_is_the_reason(tmp_path: Path) -> None:
    script = (
        "i=0; while [ $i -lt 9000 ]; do echo line $i of many >&2; i=$((i+1)); done; echo no room >&2; exit 1"
    )
    with pytest.raises(ActionRefused, match=r"^no room$"):
        await run_hook(program(tmp_path, script), ("throttle", "on"))


async def test_an_address_is_posted_to() -> None:
    async def answer(request: web.Request) -> web.Response:
        words = (await request.json())["words"]
        return web.Response(status=200 if words[0] == "restart" else 500, text=f"{words}")

    app = web.Application()
    app.router.add_post("/secret", answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/secret"))
        assert await run_hook(url, ("restart", "asr", "asr-1")) == "['restart', 'asr', 'asr-1']"
        with pytest.raises(ActionRefused, match=r"answered 500: \['throttle', 'on'\]"):
            await run_hook(url, ("throttle", "on"))
