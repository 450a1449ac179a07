"""Commands of `dispatcher` in this process: starts of Python would be most of what their tests cost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from click.testing import CliRunner

from dispatcher.cli import main
from dispatcher.settings import Settings


class Said(NamedTuple):
    """Exit code of a command, and what it printed."""

    code: int
    out: str
    err: str


def call_command(environ: Mapping[str, str], *words: str) -> Said:
    """Call a command with these settings and no others; what it does not catch is raised."""
    unset: dict[str, str | None] = dict.fromkeys(name.upper() for name in Settings.model_fields)
    result = CliRunner().invoke(main, list(words), env={**unset, **environ})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Said(code=result.exit_code, out=result.stdout, err=result.stderr)


async def command_beside(environ: Mapping[str, str], *words: str) -> Said:
    """Call it while the loop goes on."""
    return await asyncio.to_thread(call_command, environ, *words)
