"""MCP servers of the YAML: the address of each, and which of its tools may be called."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from dispatcher.catalogue.fields import AnyText, Text, VariableName, WebAddress
from dispatcher.catalogue.secrets import read_secret
from dispatcher.catalogue.section import Section, key


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer(Section):
    """A server with tools for the LLM; either a `command` of this machine or a `url`.

    Attributes:
        name: goes before the names of its tools.
        env_from: names of the variables that the command gets beside PATH, HOME and their like.
        token_env: name of the variable with the bearer token; the token itself is never kept.
        allow: the tools that may be called; None for all of them.
    """

    name: Annotated[str, key("#name")] = ""
    command: Text | None = None
    args: tuple[AnyText, ...] = ()
    env_from: tuple[VariableName, ...] = ()
    url: WebAddress | None = None
    token_env: VariableName | None = None
    allow: tuple[Text, ...] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.command is None) == (self.url is None):
            raise PydanticCustomError("expected", "either a command or a url")
        if self.url is not None and (self.args or self.env_from):
            raise PydanticCustomError("expected", "args and env_from beside a command, not beside a url")
        if self.command is not None and self.token_env:
            raise PydanticCustomError("expected", "token_env beside a url; a command takes env_from")
        return self

    def environment(self) -> dict[str, str]:
        """Return the variables that the command gets."""
        given = {name: os.environ.get(name) for name in self.env_from}
        # A file saved on Windows leaves a CR at the end of each.
        return {name: value.rstrip("\r\n") for name, value in given.items() if value is not None}

    def token(self) -> str | None:
        """Return the token from the environment, or None where there is none that can be sent."""
        return read_secret(self.token_env)
