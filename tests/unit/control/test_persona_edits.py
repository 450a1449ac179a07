"""Personas edited at run time: over the YAML's, and nothing of another version does harm."""

from __future__ import annotations

from dispatcher.catalogue.personas import Persona
from dispatcher.control.overrides import read_overrides
from dispatcher.control.persona_edits import edit_persona, with_edited
from dispatcher.redis_client.client import RedisClient
from tests.support.fleet import catalogue_of, llm

YAML = catalogue_of("round_robin", [llm("a")])


def test_what_another_version_wrote_is_left_out_or_read_as_far_as_it_is_known() -> None:
    found = with_edited(
        YAML, {"kids": '{"name": "Bobo", "hat": "red"}', "shop": '{"name": 7}', "x": "no JSON"}
    )
    assert found.conversation.edited == {"kids": Persona(name="Bobo")}
    assert with_edited(found, {}) == YAML


async def test_an_edit_is_kept_before_any_catalogue_is_active(redis: RedisClient) -> None:
    await edit_persona(redis, "kids", Persona(name="Bobo"))
    kept = (await read_overrides(redis)).personas
    assert with_edited(YAML, kept).conversation.edited == {"kids": Persona(name="Bobo")}
