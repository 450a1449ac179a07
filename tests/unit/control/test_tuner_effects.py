"""Effects of the tuner's actions on workers, instances and overrides, and their undo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dispatcher.control import tuner_effects
from dispatcher.control.instance_control import SupervisorOffer, show_offer
from dispatcher.control.overrides import RuntimeOverrides, read_overrides
from dispatcher.control.rules.actions import KINDS, Action, Change, Kind
from dispatcher.control.rules.proposals import PHRASE_EXTRA
from dispatcher.control.tuner_effects import EFFECTS, resize_queue
from dispatcher.errors import ActionRefused
from dispatcher.messages import KEEP_RECORDS
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from tests.support.fleet import catalogue_of, llm
from tests.support.processes import free_port
from tests.unit.control.loops import Workers


def grow(before: int, after: int) -> Change:
    return Change(what="llm", before=before, after=after)


def test_every_kind_of_action_has_an_effect() -> None:
    assert {row.effect for row in KINDS.values()} == set(EFFECTS)


def test_pools_grow_evenly_and_the_first_by_one_more() -> None:
    workers = Workers(llm_a=4, llm_b=4, tts_a=9)
    resize_queue(workers, grow(8, 11))
    assert workers.pools == {"llm_a": 6, "llm_b": 5, "tts_a": 9}
    resize_queue(workers, grow(11, 8))
    assert workers.pools == {"llm_a": 4, "llm_b": 4, "tts_a": 9}


def test_a_pool_moves_no_further_than_meant_where_workers_came_or_were_started_again() -> None:
    added = Workers(llm_a=8, llm_b=20)
    resize_queue(added, grow(8, 12))
    assert added.pools == {"llm_a": 8, "llm_b": 20}
    restarted = Workers(llm_a=8)
    resize_queue(restarted, grow(12, 8))
    assert restarted.pools == {"llm_a": 8}
    lost = Workers(llm_a=2)
    resize_queue(lost, grow(8, 12))
    assert lost.pools == {"llm_a": 6}


def test_a_pool_that_cannot_move_is_refused_with_the_reason() -> None:
    with pytest.raises(ActionRefused, match="no worker of queue llm answers"):
        resize_queue(Workers(tts_a=1), grow(1, 2))
    stuck = Workers(llm_a=1)
    stuck.is_stuck = True
    with pytest.raises(ActionRefused, match="did not move: 1 before, 1 after"):
        resize_queue(stuck, grow(1, 2))
    stuck.refusal = "the pool is not resizable"
    with pytest.raises(ActionRefused, match="llm_a: the pool is not resizable"):
        resize_queue(stuck, grow(1, 2))
    with pytest.raises(ActionRefused, match="'high' is no size of a pool"):
        resize_queue(Workers(llm_a=1), Change(what="llm", before=1, after="high"))


async def test_a_worker_is_stopped_only_while_it_answers(redis: RedisClient) -> None:
    workers = Workers(llm_a=1)
    await tuner_effects.apply(redis, workers, Action(kind="restart", target="llm_a"))
    assert workers.stopped == ["llm_a"]
    with pytest.raises(ActionRefused, match="llm_b does not answer"):
        await tuner_effects.apply(redis, workers, Action(kind="restart", target="llm_b"))


async def test_upkeep_is_sent_as_the_task_that_does_it_anyhow(redis: RedisClient) -> None:
    workers = Workers()
    assert "records" not in dict(tuner_effects.missing_kinds())
    await tuner_effects.apply(redis, workers, Action(kind="records", target="sql"))
    assert workers.sent == [KEEP_RECORDS]


CLEAR = Action(kind="clear_cache", target="nginx")


async def test_a_cache_is_cleared_where_nginx_is_known_and_lets_us(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    statuses = {"0": 204}

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=statuses.get(request.match_info["shard"], 404))

    app = web.Application()
    app.router.add_delete("/tts/cache/{shard}/", answer)
    async with TestServer(app) as server:
        monkeypatch.setenv("NGINX_SERVICES_URL", str(server.make_url("/")))
        assert tuner_effects.missing_kinds() == ()
        await tuner_effects.apply(redis, Workers(), CLEAR)
        assert len(set(asked)) == 16
        statuses["0"] = 405
        with pytest.raises(ActionRefused, match="did not empty its cache: HTTP 405"):
            await tuner_effects.apply(redis, Workers(), CLEAR)
    with pytest.raises(ActionRefused, match="does not answer: nothing answers at"):
        await tuner_effects.apply(redis, Workers(), CLEAR)


async def test_a_cache_is_not_cleared_where_no_nginx_is_known_and_the_status_says_why(
    redis: RedisClient,
) -> None:
    assert dict(tuner_effects.missing_kinds())["clear_cache"] == (
        "no nginx is known here: NGINX_SERVICES_URL is not set"
    )
    with pytest.raises(ActionRefused, match="NGINX_SERVICES_URL is not set"):
        await tuner_effects.apply(redis, Workers(), CLEAR)


@pytest.mark.parametrize(
    ("kind", "change", "overridden"),
    [
        ("admission", Change(what="max_devices", before=None, after=9), RuntimeOverrides(max_devices=9)),
        ("buffer", Change(what="reply_kept_s", before=None, after=1.0), RuntimeOverrides(reply_kept_s=1.0)),
        ("worker", Change(what="tts", before=0, after=1), RuntimeOverrides(extra_workers={"tts": 1})),
    ],
)
async def test_an_override_is_set_and_undone(
    redis: RedisClient, kind: Kind, change: Change, overridden: RuntimeOverrides
) -> None:
    action = Action(kind=kind, target="fronts", changes=(change,))
    await tuner_effects.apply(redis, Workers(), action)
    assert await read_overrides(redis) == overridden
    await tuner_effects.apply(redis, Workers(), action.inverse())
    assert await read_overrides(redis) == RuntimeOverrides()


async def test_a_field_of_an_instance_is_set_and_undone_and_one_that_left_is_refused(
    redis: RedisClient,
) -> None:
    await redis.execute("HSET", keys.instance("llm", "a"), "weight", 1)
    action = Action(kind="cap", target="llm/a", changes=(Change(what="llm/a", before=None, after=4),))
    await tuner_effects.apply(redis, Workers(), action)
    assert (await instance_table.read(redis, "llm", "a"))["cap_limit"] == "4"
    await tuner_effects.apply(redis, Workers(), action.inverse())
    assert "cap_limit" not in await instance_table.read(redis, "llm", "a")
    for gone in ("llm/b", "nlu/a"):
        with pytest.raises(ActionRefused, match=f"{gone} left the catalogue"):
            await tuner_effects.apply(
                redis,
                Workers(),
                Action(kind="cap", target=gone, changes=(Change(what=gone, before=None, after=4),)),
            )


ONE_MORE = Action(kind="instance", target="llm", changes=(Change(what="llm", before=0, after=1),))


async def test_a_supervisor_is_left_what_it_offers_and_takes_it_back(redis: RedisClient) -> None:
    offer = SupervisorOffer(
        growable=frozenset({"llm"}), restartable=frozenset({"llm/a"}), throttle="affinity"
    )
    await show_offer(redis, offer)
    less = Action(
        kind="throttle", target="instances", changes=(Change(what="instances", before=None, after=1),)
    )
    for action in (ONE_MORE, less, Action(kind="restart_instance", target="llm/a")):
        await tuner_effects.apply(redis, Workers(), action)
    found = await read_overrides(redis)
    assert (found.extra_instances, found.is_throttled) == ({"llm": 1}, True)
    assert found.restarts == {"llm/a"}
    for action in (ONE_MORE, less):
        await tuner_effects.apply(redis, Workers(), action.inverse())
    assert replace(await read_overrides(redis), restarts=frozenset()) == RuntimeOverrides()


async def test_a_hook_is_asked_for_the_rest_and_its_instances_have_calls_until_they_end(
    redis: RedisClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ActionRefused, match="TUNER_HOOK names no program"):
        await tuner_effects.apply(redis, Workers(), ONE_MORE)
    hook = tmp_path / "hook"
    hook.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$3" = 1 ] && echo "a http://10.0.0.9:1"\nexit 0\n'
    )
    hook.chmod(0o700)
    monkeypatch.setenv("TUNER_HOOK", str(hook))
    await instance_table.publish(redis, catalogue_of("round_robin", [llm("a")]))
    await tuner_effects.apply(redis, Workers(), ONE_MORE)
    assert (await read_overrides(redis)).added_instances == {"a-extra-1": "http://10.0.0.9:1/v1"}
    await tuner_effects.apply(redis, Workers(), ONE_MORE.inverse())
    await tuner_effects.apply(redis, Workers(), Action(kind="restart_instance", target="llm/a"))
    assert (await read_overrides(redis)).added_instances == {}
    assert (tmp_path / "asked").read_text().splitlines() == [
        "instances llm 1",
        "instances llm 0",
        "restart llm a",
    ]


async def test_the_room_of_the_phrase_cache_is_an_override_that_is_taken_back(redis: RedisClient) -> None:
    change = Change(what=PHRASE_EXTRA, before=0, after=16)
    action = Action(kind="cache_size", target="phrases", changes=(change,))
    await tuner_effects.apply(redis, Workers(), action)
    assert (await read_overrides(redis)).phrase_cache_extra_mb == 16
    await tuner_effects.apply(redis, Workers(), action.inverse())
    assert (await read_overrides(redis)).phrase_cache_extra_mb == 0


async def test_phrases_are_cleared(redis: RedisClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await redis.execute("ZADD", keys.phrases("use"), 1, keys.phrase("a"))
    await redis.execute("HSET", keys.phrase("a"), "packets", "x")
    clear = Action(kind="clear_phrases", target="phrases")
    monkeypatch.delenv("CACHE_URL", raising=False)
    await tuner_effects.apply(redis, Workers(), clear)
    assert not await redis.execute("EXISTS", keys.phrase("a"))
    monkeypatch.setenv("CACHE_URL", f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(ActionRefused, match="the phrase cache is out of reach"):
        await tuner_effects.apply(redis, Workers(), clear)
