"""Actions of operators are kept before they are done: who began one is known whatever comes."""

from __future__ import annotations

from typing import Final

import pytest

from dispatcher.console.action_log import kept, read_actions
from dispatcher.errors import StateError, UnknownName
from dispatcher.redis_client.client import RedisClient

ACTION: Final = {"who": "Ada", "what": "drain", "subject": "A", "value": "", "why": "new model"}


async def test_an_action_is_kept_while_it_is_done_and_once_when_it_is(redis: RedisClient) -> None:
    async with kept(redis, ACTION):
        (begun,) = await read_actions(redis)
        assert (begun["who"], begun["state"]) == ("Ada", "begun")
    (done,) = await read_actions(redis)
    assert (done["who"], done["why"], "state" in done) == ("Ada", "new model", False)


async def test_one_whose_end_nobody_knows_stays_as_begun(redis: RedisClient) -> None:
    with pytest.raises(StateError):
        async with kept(redis, ACTION):
            raise StateError("no answer in time")
    assert [each["state"] for each in await read_actions(redis)] == ["begun"]


async def test_one_that_is_refused_is_not_kept(redis: RedisClient) -> None:
    with pytest.raises(UnknownName):
        async with kept(redis, ACTION):
            raise UnknownName("no instance is called 'A'")
    assert await read_actions(redis) == []
