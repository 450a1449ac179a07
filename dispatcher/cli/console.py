"""`dispatcher console`: the whole deployment live in a browser, and its figures for Prometheus."""

from __future__ import annotations

import click

from dispatcher.data_dir import make_private
from dispatcher.lean_imports import import_without_extras


@click.command("console")
def console() -> None:
    """Serve the whole deployment live at /, and what it measures at /metrics for Prometheus.

    It listens at CONSOLE_HOST (127.0.0.1) and CONSOLE_PORT (8010). The page is shown to browsers on this
    host and to who signs in with the operator's password; /metrics has no password.
    """
    import_without_extras("structlog", "redis")
    from dispatcher.console.app import run_console  # noqa: PLC0415  the group's help must not load aiohttp

    make_private()
    run_console()
