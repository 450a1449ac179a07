"""Instances beside those of the YAML in the active catalogue."""

from __future__ import annotations

import pytest

from dispatcher.catalogue.codec import decode, encode
from dispatcher.control import added_instances
from dispatcher.control.added_instances import reconcile, with_added
from dispatcher.control.overrides import (
    RuntimeOverrides,
    added_instance_name,
    read_overrides,
    set_override,
)
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.active_catalogue import ActiveCatalogue
from dispatcher.routing.published import read_fleets
from tests.support.fleet import catalogue_of, llm

YAML = catalogue_of("round_robin", [llm("a", weight=3, cap=7), llm("b")])
URL = "http://127.0.0.1:9/v1"


def test_a_further_instance_is_like_another_one_but_for_name_and_endpoint() -> None:
    found = with_added(YAML, {"a-extra-1": URL})
    added = found.services["llm"].instances[2]
    assert (added.name, added.endpoint, added.weight, added.max_concurrent) == ("a-extra-1", URL, 3, 7)
    assert added.is_added
    assert decode(encode(found)) == found
    assert with_added(found, {}) == YAML


def test_a_name_of_the_yaml_is_the_yamls_and_one_that_is_like_nothing_is_left_out() -> None:
    own = catalogue_of("round_robin", [llm("a"), llm("a-extra-1")])
    assert with_added(own, {"a-extra-1": URL, "c-extra-1": URL, "strange": URL}) == own


async def test_it_is_active_until_it_is_withdrawn_and_a_later_save_of_the_yaml_wins(
    redis: RedisClient,
) -> None:
    active = ActiveCatalogue(redis, YAML, activated_at_s=1_000.0)
    await active.sync()
    await reconcile(redis, active)
    assert active.revision == 1
    await set_override(redis, added_instance_name("a-extra-1"), URL)
    await reconcile(redis, active)
    assert await names(redis) == ("a", "b", "a-extra-1")
    assert active.activated_at_ms == 1_000_001
    saved = catalogue_of("round_robin", [llm("a")])
    assert await active.adopt(saved, activated_at_ms=1_000_500)
    await reconcile(redis, active)
    assert await names(redis) == ("a", "a-extra-1")
    await set_override(redis, added_instance_name("a-extra-1"), None)
    await reconcile(redis, active)
    assert await names(redis) == ("a",)


async def test_a_reload_that_comes_while_overrides_are_read_stays(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = ActiveCatalogue(redis, YAML, activated_at_s=1_000.0)
    await active.sync()
    reloaded = catalogue_of("round_robin", [llm("c")])

    async def read_slowly(redis: RedisClient) -> RuntimeOverrides:
        found = await read_overrides(redis)
        assert await active.adopt(reloaded, activated_at_ms=2_000_000)
        return found

    monkeypatch.setattr(added_instances, "read_overrides", read_slowly)
    await reconcile(redis, active)
    assert await names(redis) == ("c",)
    assert active.current == reloaded


async def names(redis: RedisClient) -> tuple[str, ...]:
    return next(each.names for each in await read_fleets(redis) if each.service == "llm")
