"""Personas as an operator edits them at run time: kept as overrides, over those of the YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from dispatcher.catalogue.codec import FROM_REDIS
from dispatcher.catalogue.fields import InstanceName
from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.personas import Persona
from dispatcher.catalogue.validation_messages import schema_problems
from dispatcher.control.overrides import persona_name, read_overrides, set_override
from dispatcher.errors import ConfigError
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table

_PERSONA: Final = TypeAdapter(Persona)
_NAME: Final = TypeAdapter(InstanceName)


def parse_persona(name: str, given: Mapping[str, Any]) -> Persona:
    """Return the persona of these keys of the YAML; "" is the name of what holds where none is taken.

    Raises:
        ConfigError: one problem for each key that cannot be used.
    """
    problems: list[str] = []
    try:
        if name:
            _NAME.validate_python(name)
    except ValidationError as error:
        problems += [f"persona: {words}" for _, words in schema_problems(error)]
    try:
        persona = _PERSONA.validate_python(dict(given))
    except ValidationError as error:
        problems += [f"{at[0]}: {words}" for at, words in schema_problems(error)]
    if problems:
        raise ConfigError(problems)
    return persona


def with_edited(catalogue: Catalogue, written: Mapping[str, str]) -> Catalogue:
    """Return the catalogue with personas edited so; what another version wrote is left out."""
    edited: dict[str, Persona] = {}
    for name, text in written.items():
        try:
            edited[name] = _PERSONA.validate_json(
                text, by_alias=False, by_name=True, extra="ignore", context=FROM_REDIS
            )
        except ValidationError:
            continue
    return replace(catalogue, conversation=replace(catalogue.conversation, edited=edited))


async def edit_persona(redis: RedisClient, name: str, persona: Persona) -> None:
    """Keep what an operator says of a persona, and activate it; one that says nothing is the YAML's again.

    The control worker puts it over each YAML that is read later.

    Raises:
        StateError: Redis is out of reach.
    """
    says = any(getattr(persona, each.name) not in (None, {}) for each in fields(persona))
    await set_override(redis, persona_name(name), _PERSONA.dump_json(persona).decode() if says else None)
    active = await instance_table.read_active(redis)
    if active is None:
        return
    wanted = with_edited(active.catalogue, (await read_overrides(redis)).personas)
    if wanted != active.catalogue:
        await instance_table.publish(redis, wanted, activated_at_ms=active.activated_at_ms + 1)
