"""Lists of models: the names that a server says it has, and whether a line's model is one of them.

A list may be incomplete, or name a model by another id than calls do: it says why a call fails, and never
alone that one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from dispatcher.bounded_json import read_json
from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError
from dispatcher.providers.protocols import PageProvider, Provider

LATEST: Final = ":latest"
GGUF: Final = ".gguf"
MOST_SHOWN: Final = 5
_TAKES_ANY_NAME: Final = ("built-in", "llamacpp")
_NAME_CHARACTERS: Final = 60
_MOST_NAMES: Final = 1_000


async def ask_unlisted_model(provider: Provider, instance: Instance) -> str:
    """Return in words that the server does not list a line's model; nothing where no list says so."""
    if not isinstance(provider, PageProvider) or (instance.service != "llm" and not instance.model):
        return ""
    with suppress(InstanceError, TimeoutError):
        return unlisted_model(instance, await provider.models(instance))
    return ""


def names_in(raw: bytes) -> tuple[str, ...] | None:
    """Return the names in an answer of /models or of Ollama's /api/tags.

    None where it is no such list, or one of a server that answers to any name.
    """
    try:
        found = answer = read_json(raw)
    except ValueError:
        return None
    if isinstance(answer, dict):
        found = next((answer[key] for key in ("data", "models") if isinstance(answer.get(key), list)), None)
    if not isinstance(found, list):
        return None
    entries = [each for each in found[:_MOST_NAMES] if isinstance(each, dict | str)]
    if any(isinstance(each, dict) and each.get("owned_by") in _TAKES_ANY_NAME for each in entries):
        return None
    names = (_name(each) for each in entries)
    return tuple(name for name in names if name)


def unlisted_model(instance: Instance, names: Sequence[str] | None) -> str:
    """Return in words that a line's model is not among these; nothing where it is, or may well be."""
    if names is None:
        return ""
    if instance.model and _plain(instance.model) in map(_plain, names):
        return ""
    if not instance.model and (instance.service != "llm" or "default" in names):
        return ""
    shown = ", ".join(name[:_NAME_CHARACTERS] for name in names[:MOST_SHOWN]) or "none"
    more = ", …" if len(names) > MOST_SHOWN else ""
    if not instance.model:
        return f"its line has no model; the server has {shown}{more}"
    return f"no model {instance.model} there; it has {shown}{more}"


def _name(entry: Any) -> str:
    said = entry if isinstance(entry, str) else entry.get("id") or entry.get("name") or entry.get("model")
    return "".join(each for each in said if each.isprintable()) if isinstance(said, str) else ""


def _plain(name: str) -> str:
    """Return a name as Ollama, Gemini and llama.cpp write it in different places."""
    plain = name.casefold().removesuffix(LATEST).removesuffix(GGUF)
    return plain.removeprefix("models/").rpartition("/")[2]
