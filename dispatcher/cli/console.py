"""`dispatcher console`: figures of the whole deployment for Prometheus, in the foreground."""

from __future__ import annotations

import click

from dispatcher.data_dir import make_private


@click.command("console")
def console() -> None:
    """Serve what the whole deployment measures: /metrics for Prometheus, and a page that leads on.

    It listens at CONSOLE_HOST (127.0.0.1) and CONSOLE_PORT (8010), without a password.
    """
    import dispatcher.lean_structlog  # noqa: F401, PLC0415  before whatever imports structlog
    from dispatcher.console.app import run_console  # noqa: PLC0415  the group's help must not load aiohttp

    make_private()
    run_console()
