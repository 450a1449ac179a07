"""Tools as an LLM sees them: what may be called, and what it asks to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that a device or a tool server can do.

    Attributes:
        name: as the LLM calls it: letters, digits, `_` and `-`, 64 at most.
        description: when to use it, in words for the LLM.
        parameters: JSON schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that an LLM asks for.

    Attributes:
        id: what the answer refers to; made up where the LLM gave none.
        arguments: JSON as the LLM wrote it, unchecked.
    """

    id: str
    name: str
    arguments: str
