"""`dispatcher check`: the check-lists of a rollout, row by row, against a deployment that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

import click

from dispatcher.catalogue import load_catalogue
from dispatcher.errors import ConfigError
from dispatcher.ops.checks.check_row import LISTS, Finding, List, rows_of
from dispatcher.ops.checks.snapshot import Evidence, Wish, gather
from dispatcher.ops.checks.view import any_failed, as_json, check_view
from dispatcher.ops.redis_session import with_redis
from dispatcher.redis_client.client import RedisClient
from dispatcher.settings import Settings
from dispatcher.supervisor.resolve_settings import front_url, resolve_settings
from dispatcher.terminal.console import make_console

FAILED_EXIT_CODE: Final = 1
# The modules that hold rows, in the order in which their rows are shown.
ROWS_OF: Final = ("host_checks", "balancing", "queues", "routing")


@click.command("check")
@click.option(
    "--phase",
    "wanted",
    type=click.Choice(LISTS),
    multiple=True,
    help="1 balancing, 2 service separation, 3 smart routing; before and after a rollout.  [default: all]",
)
@click.option(
    "--front",
    "fronts",
    metavar="URL",
    multiple=True,
    help="A front, as http://host:8000; may be given again.  [default: those of the YAML's nginx_proxy, "
    "else that of this host]",
)
@click.option(
    "--nginx", default="", metavar="URL", help="The entry, as http://host; its weights are checked."
)
@click.option("--json", "as_text", is_flag=True, help="One JSON object instead of tables.")
@click.pass_context
def check(
    context: click.Context, *, wanted: tuple[List, ...], fronts: tuple[str, ...], nginx: str, as_text: bool
) -> None:
    """Run the check-lists of a rollout against the deployment of REDIS_URL.

    Each row says what was seen and what was expected. One real turn is held. Nothing is changed.
    The exit code is 1 where a row fails.
    """
    settings = resolve_settings()
    wish = Wish(settings=settings, fronts=fronts or _fronts_of(settings), nginx=nginx)

    async def look(redis: RedisClient) -> Evidence:
        return await gather(redis, wish)

    found = find(with_redis(look), wanted or LISTS)
    if as_text:
        click.echo(json.dumps(as_json(found), ensure_ascii=False))
    else:
        console = make_console()
        console.print(check_view(found), soft_wrap=not console.is_terminal)
    if any_failed(found):
        context.exit(FAILED_EXIT_CODE)


def find(evidence: Evidence, wanted: Sequence[List]) -> Mapping[List, Sequence[Finding]]:
    """Return what the rows of these lists find."""
    for name in ROWS_OF:
        import_module(f"{__name__}.{name}")
    return {each: [finding for row in rows_of(each) for finding in row.look(evidence)] for each in wanted}


def _fronts_of(settings: Settings) -> tuple[str, ...]:
    """Return the fronts that the YAML puts behind nginx, or the one of this host."""
    try:
        servers = load_catalogue(settings.dispatcher_config).nginx.upstream_servers
    except ConfigError:  # a row says so
        servers = ()
    return tuple(f"http://{each.server}" for each in servers) or (front_url(settings),)
