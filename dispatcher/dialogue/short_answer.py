"""Shorter answers while too many turns wait: the model is asked for one, and its tokens are limited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from dispatcher.catalogue.model import DEFAULT_MAX_TOKENS, Instance
from dispatcher.messages import Language

_REQUESTS: Final[Mapping[Language, str]] = {
    "en": "[Answer briefly, in one or two sentences.]",
    "zh": "[请简短回答，一两句话即可。]",
}


def with_brief_request(text: str, *, language: Language) -> str:
    """Return the user's text with the request on a line behind it, for one request only.

    As with the time, what stands before it stays the same, so that a server's prompt cache holds.
    """
    return f"{text}\n{_REQUESTS.get(language, _REQUESTS['en'])}"


def with_fewer_tokens(instance: Instance, most: int) -> Instance:
    """Return an instance that writes so many tokens at most; one that thinks needs them for that."""
    usual = instance.max_tokens or DEFAULT_MAX_TOKENS
    return instance if instance.thinking == "auto" or usual <= most else replace(instance, max_tokens=most)
