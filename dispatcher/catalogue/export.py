"""A catalogue as the text of a YAML file that loads as the same catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from dispatcher.catalogue.codec import catalogue_adapter
from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.document import write_document
from dispatcher.catalogue.model import Catalogue
from dispatcher.catalogue.personas import Persona

Rules = TypeVar("Rules", Persona, Conversation)

# Sections of the file that a catalogue has under the same name, and that are written as they are.
SAME_SECTIONS: Final = ("conversation", "playback", "kpis", "alerts", "tuner", "overload", "usage", "console")


def as_yaml(catalogue: Catalogue) -> str:
    """Return the file's text: personas as they were edited, without instances that the tuner added."""
    services = {
        service: replace(config, instances=tuple(each for each in config.instances if not each.is_added))
        for service, config in catalogue.services.items()
    }
    whole = replace(catalogue, services=services, conversation=with_edits_written(catalogue.conversation))
    found = _plain(catalogue_adapter().dump_python(whole, mode="json", by_alias=True, exclude_defaults=True))
    balancing = {
        "global_settings": found.get("health", {}),
        "nginx_proxy": found.get("nginx", {}),
        "api_gateway": {f"{service}_services": config for service, config in found["services"].items()},
    }
    root = {"load_balancing": balancing, **{name: found[name] for name in SAME_SECTIONS if name in found}}
    if not catalogue.conversation.filler.after_ms:
        root["conversation"]["filler"] = False
    root["phrase_cache"] = found["phrase_cache"] if catalogue.phrase_cache.is_on else False
    servers = zip(catalogue.mcp_servers, found.get("mcp_servers", ()), strict=False)
    root["mcp_servers"] = {server.name: written for server, written in servers}
    return write_document(root)


def with_edits_written(rules: Conversation) -> Conversation:
    """Return the settings of the dialogue with what was edited in the place of what it was edited over."""
    personas = {
        name: _over(rules.personas.get(name, Persona()), rules.edited.get(name, Persona()))
        for name in rules.persona_names
    }
    return replace(_over(rules, rules.edited.get("", Persona())), personas=personas, edited={})


def _over(written: Rules, edited: Persona) -> Rules:
    said = {each.name: getattr(edited, each.name) for each in fields(Persona)}
    return replace(written, **{name: value for name, value in said.items() if value not in (None, {})})


def _plain(value: Any) -> Any:
    """Return the value without the fields that are not for the file."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items() if not name.startswith("#")}
    return [_plain(each) for each in value] if isinstance(value, list) else value
