"""Instances beside those of the YAML: each is like one of them, at an endpoint of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import structlog

from dispatcher.catalogue.model import Catalogue, Instance
from dispatcher.control.overrides import RuntimeOverrides, read_overrides
from dispatcher.control.persona_edits import with_edited
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.active_catalogue import ActiveCatalogue

log = structlog.get_logger(__name__)

_NAME: Final = re.compile(r"(?P<like>.+)-extra-\d+")


def name_of(like: str, number: int) -> str:
    """Return the name of a further instance that is like another one."""
    return f"{like}-extra-{number}"


def like_of(name: str) -> str:
    """Return which instance one of that name is like; empty where the name is none of ours."""
    match = _NAME.fullmatch(name)
    return match["like"] if match else ""


def with_added(catalogue: Catalogue, added: Mapping[str, str]) -> Catalogue:
    """Return the catalogue of the YAML with these further instances, given by name with their endpoints.

    One whose name the YAML has, or that is like no instance of it, is left out.
    """
    services = {}
    for service, config in catalogue.services.items():
        own = {each.name: each for each in config.instances if not each.is_added}
        more = [
            replace(own[like_of(name)], name=name, endpoint=endpoint, is_added=True)
            for name, endpoint in sorted(added.items())
            if like_of(name) in own and name not in own
        ]
        services[service] = replace(config, instances=(*own.values(), *more))
    return replace(catalogue, services=services)


def with_overrides(catalogue: Catalogue, overrides: RuntimeOverrides) -> Catalogue:
    """Return the catalogue of a YAML with all that stands over it: further instances, and edited personas."""
    return with_edited(with_added(catalogue, overrides.added_instances), overrides.personas)


async def reconcile(redis: RedisClient, active: ActiveCatalogue) -> None:
    """Activate the catalogue with those further instances and edited personas that the overrides name.

    It counts as chosen a moment after the YAML: a save that comes later wins, and has them as well.

    Raises:
        StateError: Redis is out of reach.
    """
    overrides = await read_overrides(redis)
    # The catalogue of this moment: a reload may have come while Redis answered.
    wanted = with_overrides(active.current, overrides)
    if wanted == active.current:
        return
    if await active.adopt(wanted, activated_at_ms=active.activated_at_ms + 1):
        names = [each.name for each in _added(wanted)]
        log.info(
            "overrides active",
            instances=names,
            personas=sorted(wanted.conversation.edited),
            revision=active.revision,
        )


def _added(catalogue: Catalogue) -> list[Instance]:
    return [each for config in catalogue.services.values() for each in config.instances if each.is_added]
