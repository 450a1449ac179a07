"""A save of the YAML against what an operator chose since."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Final, cast

import pytest
from structlog.testing import capture_logs

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from dispatcher.catalogue.personas import Persona
from dispatcher.control.catalogue_watch import CatalogueWatch
from dispatcher.control.persona_edits import edit_persona
from dispatcher.control.watched_file import SavedCatalogue, WatchedFile
from dispatcher.errors import ConfigError, StateError
from dispatcher.messages import Service
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.routing.active_catalogue import ActiveCatalogue
from tests.support.fleet import catalogue_of, llm


def whole(name: str) -> Catalogue:
    """Return a catalogue with an LLM instance of this name, and one of each other service."""
    catalogue = catalogue_of("round_robin", [llm(name)])
    others: dict[Service, ServiceConfig] = {
        service: replace(
            config, instances=(Instance(service=service, name=service, endpoint="http://127.0.0.1:1"),)
        )
        for service, config in catalogue.services.items()
        if service != "llm"
    }
    return replace(catalogue, services={**catalogue.services, **others})


FIRST: Final = whole("A")
SAVED: Final = whole("B")
CHOSEN: Final = whole("C")


class Saves:
    """Stands where the watched file is: each poll returns, or raises, the next of these."""

    def __init__(self, *polls: SavedCatalogue | Exception | None) -> None:
        self.polls = list(polls)

    def poll(self) -> SavedCatalogue | None:
        found = self.polls.pop(0) if self.polls else None
        if isinstance(found, Exception):
            raise found
        return found


async def watching(redis: RedisClient, saves: Saves) -> tuple[CatalogueWatch, ActiveCatalogue]:
    """Return a watch over a system whose first catalogue was chosen a minute ago."""
    minute_ago_ms = round((time.time() - 60) * 1000)
    await instance_table.publish(redis, FIRST, activated_at_ms=minute_ago_ms)
    live = ActiveCatalogue(redis, FIRST)
    await live.sync()
    return CatalogueWatch(redis, live, cast("WatchedFile", saves)), live


def name_in(catalogue: Catalogue) -> str:
    return catalogue.services["llm"].instances[0].name


async def active(redis: RedisClient) -> str:
    """Return which of the three is active."""
    found = await instance_table.read_active(redis)
    assert found is not None
    return name_in(found.catalogue)


async def test_a_save_becomes_active(redis: RedisClient) -> None:
    watch, live = await watching(redis, Saves(SavedCatalogue(SAVED, time.time() - 2)))
    await watch.poll()
    assert await active(redis) == "B" == name_in(live.current)


async def test_what_an_operator_edited_is_over_a_save_from_the_first_moment(redis: RedisClient) -> None:
    watch, _ = await watching(redis, Saves(SavedCatalogue(SAVED, time.time() - 2)))
    await edit_persona(redis, "kids", Persona(name="Bobo"))
    before = await instance_table.read_active(redis)
    await watch.poll()
    after = await instance_table.read_active(redis)
    assert before is not None
    assert after is not None
    assert name_in(after.catalogue) == "B"
    assert after.catalogue.conversation.edited == {"kids": Persona(name="Bobo")}
    assert after.revision == before.revision + 1, "none lies between that has not been edited"


async def test_a_save_that_is_seen_late_never_overrides_a_later_reload(redis: RedisClient) -> None:
    watch, live = await watching(redis, Saves(SavedCatalogue(SAVED, time.time() - 2)))
    await instance_table.publish(redis, CHOSEN)
    with capture_logs() as logs:
        await watch.poll()
    assert await active(redis) == "C" == name_in(live.current)
    assert [each["event"] for each in logs if "file" in each] == [
        "catalogue saved before the last reload, which stays"
    ]
    await live.close()


async def test_a_save_after_a_reload_becomes_active(redis: RedisClient) -> None:
    saves = Saves()
    watch, _ = await watching(redis, saves)
    await instance_table.publish(redis, CHOSEN, activated_at_ms=round((time.time() - 5) * 1000))
    saves.polls.append(SavedCatalogue(SAVED, time.time() - 2))
    await watch.poll()
    assert await active(redis) == "B"


async def test_a_save_of_a_host_whose_clock_runs_ahead_counts_as_of_this_moment(redis: RedisClient) -> None:
    watch, _ = await watching(redis, Saves(SavedCatalogue(SAVED, time.time() + 3600)))
    await watch.poll()
    await instance_table.publish(redis, CHOSEN)
    assert await active(redis) == "C"


async def test_a_mistake_is_logged_with_its_problems_and_the_one_before_stays(redis: RedisClient) -> None:
    watch, _ = await watching(redis, Saves(ConfigError(["x.yaml:3: weight"])))
    with capture_logs() as logs:
        await watch.poll()
    assert await active(redis) == "A"
    assert [each["problems"] for each in logs if "problems" in each] == [["x.yaml:3: weight"]]


async def test_a_save_that_redis_could_not_take_is_taken_when_it_is_back(
    redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, live = await watching(redis, Saves(SavedCatalogue(SAVED, time.time() - 2)))

    async def fail(*_: object, **__: object) -> bool:
        raise StateError("away")

    with monkeypatch.context() as patched:
        patched.setattr(live, "adopt", fail)
        await watch.poll()
    assert await active(redis) == "A"
    await watch.poll()
    assert await active(redis) == "B"
