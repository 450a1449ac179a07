"""Editor of personas: what holds for one, what an operator makes of it, and all of it as a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from aiohttp import web

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.export import as_yaml
from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.personas import DeviceRule
from dispatcher.console.access import require_operator, require_signed_in
from dispatcher.console.action_log import kept
from dispatcher.console.operator_actions import action_redis
from dispatcher.control.persona_edits import edit_persona, parse_persona
from dispatcher.devices import registry
from dispatcher.devices.registry import Registered
from dispatcher.dialogue.persona import first_said, persona_layers
from dispatcher.errors import UnknownName
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import instance_table
from dispatcher.web_assets import SECURITY_HEADERS

MAX_PROMPT: Final = 8_000
MAX_TEXT: Final = 200
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
    app.router.add_get("/persona", show_persona)
    app.router.add_post("/persona", save_persona)
    app.router.add_get("/catalogue.yaml", export_catalogue)


async def show_persona(request: web.Request) -> web.Response:
    """Answer with the texts of a persona as they hold now; prompts are for who signed in."""
    require_signed_in(request)
    async with action_redis(request) as redis:
        rules = (await _active(redis)).conversation
    return web.json_response(form_of(rules, request.query.get("persona", "")), headers=SECURITY_HEADERS)


async def save_persona(request: web.Request) -> web.Response:
    """Take the texts of a persona, live at the next turn; one that says what the YAML says is no edit."""
    session = require_operator(request)
    name, given, why = await _read(request)
    async with action_redis(request) as redis:
        rules = (await _active(redis)).conversation
        written = form_of(_without_edit(rules, name), name)
        said = {key: text for key, text in given.items() if text and text != written[key].strip()}
        persona = parse_persona(name, {key: _value_of(key, text) for key, text in said.items()})
        what = {"who": session.name, "what": "edit", "subject": name or "*"}
        async with kept(redis, {**what, "value": ", ".join(said), "why": why}):
            await edit_persona(redis, name, persona)
    return web.json_response({"done": f"{name or '*'}: {', '.join(said) or 'as in the YAML'}"})


async def export_catalogue(request: web.Request) -> web.Response:
    """Answer with the active catalogue as a file, edits and what was set for devices in it."""
    require_signed_in(request)
    async with action_redis(request) as redis:
        catalogue = with_devices(await _active(redis), await registry.read_all(redis))
    headers = {
        **SECURITY_HEADERS,
        "Cache-Control": "no-store",
        "Content-Disposition": 'attachment; filename="load_balancing.yaml"',
    }
    return web.Response(text=as_yaml(catalogue), content_type="application/yaml", headers=headers)


def form_of(rules: Conversation, persona: str) -> dict[str, str]:
    """Return what a persona goes by as the texts of a form, by the keys of the YAML."""
    layers = persona_layers(rules, persona)
    # The language of the default stands behind what a device says of itself, and fixes nothing.
    said: dict[str, Any] = {
        field: first_said(layers if field != "language" else layers[:-1], field) for field in FORM_KEYS
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


async def _read(request: web.Request) -> tuple[str, dict[str, str], str]:
    try:
        given = await request.json()
        name, why = (str(given.get(each, "")).strip()[:MAX_TEXT] for each in ("persona", "why"))
        found = ((key, str(given.get(key, ""))) for key in FORM_KEYS.values())
        texts = {key: text.replace("\r\n", "\n").strip() for key, text in found}
    except (ValueError, AttributeError, RecursionError) as error:
        raise web.HTTPBadRequest(text="expected a JSON object", headers=SECURITY_HEADERS) from error
    for key, text in {"why": why, **texts}.items():
        most = MAX_PROMPT if key in LINES else MAX_TEXT
        shown = text.replace("\n", "").replace("\t", "") if key in LINES else text
        if len(text) > most or not shown.isprintable():
            words = f"{key}: had {len(text)} characters; expected at most {most}, all printable"
            raise web.HTTPBadRequest(text=words, headers=SECURITY_HEADERS)
    return name, texts, why


def _value_of(key: str, text: str) -> Any:
    """Return the value of a key from its text; `tts-1: nova, *: alloy` names voices by instance.

    Wake words stand one a line: a comma may be part of one.
    """
    if key == "wake_words":
        return tuple(filter(None, map(str.strip, text.splitlines())))
    if key == "voice" and ": " in text:
        pairs = (each.partition(": ") for each in text.split(","))
        return {instance.strip(): voice.strip() for instance, _, voice in pairs}
    return text
