"""`dispatcher front`: one front in the foreground."""

from __future__ import annotations

import click

from dispatcher.data_dir import make_private
from dispatcher.lean_imports import import_without_extras


@click.command("front")
def front() -> None:
    """Run one front: devices, OTA and the talk page.

    Address, limits and folders come from the environment (FRONT_HOST, FRONT_PORT, REDIS_URL ...).
    """
    import_without_extras("structlog", "redis")
    from dispatcher.front.http.app import run_front  # noqa: PLC0415  the group's help must not load aiohttp

    make_private()
    run_front()
