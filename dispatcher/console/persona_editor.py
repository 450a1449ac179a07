"""Editor of personas: what holds for one, what an operator makes of it, and all of it as a YAML file."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Container, Mapping
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.export import as_yaml
from dispatcher.catalogue.fields import EVERYWHERE
from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.personas import DeviceRule, Persona
from dispatcher.console.access import NOT_STORED, require_operator, require_signed_in
from dispatcher.console.action_log import kept
from dispatcher.console.operator_actions import action_redis
from dispatcher.console.request_texts import (
    MAX_TEXT,
    plain_lines,
    read_object,
    require_printable,
    text_of,
)
from dispatcher.control.persona_edits import edit_persona, parse_persona
from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.dialogue.persona import first_said, persona_layers
from dispatcher.errors import UnknownName
from dispatcher.ops.device_admin import DEFAULT
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table

MAX_PROMPT: Final = 8_000
_STALE: Final = "was changed since it was opened, here or in the YAML; open it again"
# One save at a time: each looks at what the one before it left.
_SAVING: Final = web.AppKey("saving", asyncio.Lock)
# Keys whose text may have several lines.
LINES: Final = frozenset({"system_prompt", "wake_words"})
# Keys of the YAML, by the field of a persona; the form has a text for each.
FORM_KEYS: Final[Mapping[str, str]] = {
    "name": "name",
    "system_prompt": "system_prompt",
    "voices": "voice",
    "language": "language",
    "wake_words": "wake_words",
}


def add_persona_editor(app: web.Application) -> None:
    """Add the addresses of the editor and of the file."""
    app[_SAVING] = asyncio.Lock()
    app.router.add_get("/persona", show_persona)
    app.router.add_post("/persona", save_persona)
    app.router.add_get("/catalogue.yaml", export_catalogue)


async def show_persona(request: web.Request) -> web.Response:
    """Answer with the texts of a persona as they hold now, and what the YAML says.

    Prompts are for who signed in. One that nobody knows has the texts of the default.
    """
    require_signed_in(request)
    name = request.query.get("persona", "")
    async with action_redis(request) as redis:
        rules = (await _active(redis)).conversation
    form = form_of(rules, name)
    found = {**form, "seen": _seen(form), "yaml": form_of(_without_edit(rules, name), name)}
    return web.json_response(found, headers=NOT_STORED)


async def save_persona(request: web.Request) -> web.Response:
    """Take the texts of a persona that changed, live at the next turn; what the YAML says is no edit."""
    session = require_operator(request)
    name, why, given = await _read(request)
    async with action_redis(request) as redis, request.app[_SAVING]:
        catalogue = await _active(redis)
        form = form_of(catalogue.conversation, name)
        if text_of(given, "seen") != _seen(form):
            raise web.HTTPConflict(text=f"{name or '*'}: {_STALE}")
        changed = _changed(form, given)
        edit, words = _edit_of(catalogue, name, changed)
        if changed:
            action = {"who": session.name, "what": "edit", "subject": name or "*", "value": words, "why": why}
            async with kept(redis, action):
                await edit_persona(redis, name, edit)
    return web.json_response({"done": f"{name or '*'}: {words or 'as it was'}"})


async def export_catalogue(request: web.Request) -> web.Response:
    """Answer with the active catalogue as a file, edits and what was set for devices in it."""
    require_signed_in(request)
    async with action_redis(request) as redis:
        catalogue = with_devices(await _active(redis), await registry.read_all(redis))
    headers = {**NOT_STORED, "Content-Disposition": 'attachment; filename="load_balancing.yaml"'}
    return web.Response(text=as_yaml(catalogue), content_type="application/yaml", headers=headers)


def form_of(rules: Conversation, persona: str) -> dict[str, str]:
    """Return what a persona goes by as the texts of a form, by the keys of the YAML."""
    layers = persona_layers(rules, persona)
    # The language of the default stands behind what a device says of itself, and fixes nothing.
    fixed = layers if not persona else layers[:-2]
    said: dict[str, Any] = {
        field: first_said(layers if field != "language" else fixed, field) for field in FORM_KEYS
    }
    voices = next((layer.voices for layer in layers if layer.voices), {})
    return {
        "name": said["name"] or "",
        "system_prompt": said["system_prompt"] or "",
        "voice": ", ".join(each if at == "*" else f"{at}: {each}" for at, each in voices.items()),
        "language": said["language"] or "",
        "wake_words": "\n".join(said["wake_words"] or ()),
    }


def with_devices(catalogue: Catalogue, devices: list[Registered]) -> Catalogue:
    """Return the catalogue with the persona and the language that operators set for devices."""
    rules = catalogue.conversation
    found = dict(rules.devices)
    for device in devices:
        persona = device.persona if device.persona in rules.persona_names else ""
        if persona or device.language:
            rule = found.get(device.device_id, DeviceRule())
            found[device.device_id] = replace(
                rule, persona=persona or rule.persona, language=device.language or rule.language
            )
    return replace(catalogue, conversation=replace(rules, devices=found))


async def _active(redis: RedisClient) -> Catalogue:
    active = await instance_table.read_active(redis)
    if active is None:
        raise UnknownName("no YAML is in force yet: it is when the first process has started")
    return active.catalogue


def _without_edit(rules: Conversation, persona: str) -> Conversation:
    return replace(rules, edited={name: each for name, each in rules.edited.items() if name != persona})


async def _read(request: web.Request) -> tuple[str, str, Mapping[str, Any]]:
    given = await read_object(request)
    name, why = (text_of(given, field) for field in ("persona", "why"))
    require_printable("persona", name)
    require_printable("why", why)
    return name, why, given


def _seen(form: Mapping[str, str]) -> str:
    """Return what a browser names to show which texts it has seen."""
    return hashlib.sha256(json.dumps(form).encode()).hexdigest()[:16]


def _changed(form: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts that are others than the form had; only they have to be usable.

    Raises:
        HTTPBadRequest: one of them is not.
    """
    texts = {key: text_of(given, key) for key in FORM_KEYS.values()}
    changed = {key: text for key, text in texts.items() if text != plain_lines(form[key])}
    for key, text in changed.items():
        has_lines = key in LINES
        require_printable(key, text, most=MAX_PROMPT if has_lines else MAX_TEXT, has_lines=has_lines)
    return changed


def _edit_of(catalogue: Catalogue, name: str, changed: Mapping[str, str]) -> tuple[Persona, str]:
    """Return the edit that stands with these texts, and the keys that changed in words.

    Raises:
        ValueError: a new persona would say nothing, or could not be chosen.
        ConfigError: a text cannot be used.
    """
    rules, tts = catalogue.conversation, catalogue.services["tts"].instances
    # Voices may have been written for an instance that left since.
    known = {name for layer in persona_layers(rules, name) for name in layer.voices}
    targets = known.union(*((each.name, each.provider) for each in tts), {EVERYWHERE})
    written = form_of(_without_edit(rules, name), name)
    said = {key: text for key, text in changed.items() if text and text != plain_lines(written[key])}
    parsed = parse_persona(name, {key: _value_of(key, text, targets) for key, text in said.items()})
    if name and name not in rules.persona_names and (not changed or name == DEFAULT):
        what = f"was {name!r}, which stands for none" if name == DEFAULT else "says what the default says"
        raise ValueError(f"persona: {what}; expected another")
    fields = {field: getattr(parsed, field) for field, key in FORM_KEYS.items() if key in changed}
    words = ", ".join(key if key in said else f"{key} as in the YAML" for key in changed)
    return replace(rules.edited.get(name, Persona()), **fields), words


def _value_of(key: str, text: str, targets: Container[str]) -> Any:
    """Return the value of a key from its text.

    Wake words stand one a line: a comma may be part of one.
    """
    if key == "wake_words":
        return tuple(filter(None, map(str.strip, text.splitlines())))
    return _voices_of(text, targets) if key == "voice" else text


def _voices_of(text: str, targets: Container[str]) -> str | dict[str, str]:
    """Return the voices of a text such as `tts-1: nova, alloy`; a part without a name is for everywhere else.

    A colon may be part of a voice's own name, and Chinese keyboards have wide ones.

    Raises:
        ValueError: a voice is for what no instance and no provider is called.
    """
    found: dict[str, str] = {}
    for part in map(str.strip, re.split("[,，]", text)):
        name, voice = (each.strip() for each in (*re.split("[:：]", part, maxsplit=1), "")[:2])
        if name in targets:
            found[name] = voice
        elif ": " in part:
            raise ValueError(f"voice: was for {name!r}, which no TTS instance and no provider is called")
        else:
            found[EVERYWHERE] = part
    return found
