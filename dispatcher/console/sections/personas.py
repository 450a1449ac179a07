"""Personas that devices can take, with what of each an operator edited; prompts are not among it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dispatcher.console.live_feed import FeedSources
from dispatcher.console.persona_editor import FORM_KEYS, form_of
from dispatcher.console.snapshot import ConsoleSnapshot
from dispatcher.routing import instance_table


async def read(sources: FeedSources, _: ConsoleSnapshot) -> Mapping[str, Any]:
    """Return the default, whose name is empty, and each persona."""
    active = await instance_table.read_active(sources.redis)
    if active is None:
        return {"personas": []}
    rules = active.catalogue.conversation
    rows = []
    for persona in ("", *rules.persona_names):
        form, edit = form_of(rules, persona), rules.edited.get(persona)
        del form["system_prompt"]
        edited = [key for field, key in FORM_KEYS.items() if getattr(edit, field, None) not in (None, {})]
        rows.append({"persona": persona, **form, "edited": edited})
    return {"personas": rows}
