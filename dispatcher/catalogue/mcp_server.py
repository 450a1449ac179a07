"""Tool servers of the YAML: where each is, and which of its tools may be called."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dispatcher.catalogue.secrets import read_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """A server with tools for the LLM; either a `command` of this machine or a `url`.

    Attributes:
        name: goes before the names of its tools.
        env_from: names of the variables that the command gets beside PATH, HOME and their like.
        token_env: name of the variable with the bearer token; the token itself is never kept.
        allow: the tools that may be called; None for all of them.
    """

    name: str
    command: str | None = None
    args: tuple[str, ...] = ()
    env_from: tuple[str, ...] = ()
    url: str | None = None
    token_env: str | None = None
    allow: tuple[str, ...] | None = None

    def environment(self) -> dict[str, str]:
        """Return the variables that the command gets."""
        given = {name: os.environ.get(name) for name in self.env_from}
        # A file saved on Windows leaves a CR at the end of each.
        return {name: value.rstrip("\r\n") for name, value in given.items() if value is not None}

    def token(self) -> str | None:
        """Return the token from the environment, or None where there is none that can be sent."""
        return read_secret(self.token_env)
