"""`dispatcher check`: the check-lists of a rollout, row by row, against a deployment that runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from dispatcher.ops.checks.check_lists import fronts_of, run_checks
from dispatcher.ops.checks.check_view import any_failed, as_json, check_view
from dispatcher.ops.checks.deployment_snapshot import CheckScope, read_snapshot
from dispatcher.ops.checks.finding import CHECK_LISTS, CheckList
from dispatcher.ops.redis_session import with_redis
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.terminal.console import print_view

FAILED_EXIT_CODE: Final = 1


@click.command("check")
@click.option(
    "--phase",
    "wanted",
    type=click.Choice(CHECK_LISTS),
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
@click.option(
    "--nginx-files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of its configuration, compared with what the YAML renders.",
)
@click.option(
    "--compose",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The compose file: limits, restarts, weights of the fronts.",
)
@click.option("--prometheus", default="", metavar="URL", help="Its address; are its targets up?")
@click.option("--json", "as_text", is_flag=True, help="One JSON object instead of tables.")
@click.pass_context
def check(
    context: click.Context,
    /,
    *,
    wanted: tuple[CheckList, ...],
    fronts: tuple[str, ...],
    as_text: bool,
    **named: Any,
) -> None:
    """Run the check-lists of a rollout against the deployment of REDIS_URL.

    Each row says what was seen, what was expected and, where it fails, what to do. One real turn is held.
    Nothing is changed. The exit code is 1 where a row fails.
    """
    settings = resolve_settings()
    scope = CheckScope(settings=settings, fronts=fronts or fronts_of(settings), **named)
    found = run_checks(with_redis(lambda redis: read_snapshot(redis, scope)), wanted or CHECK_LISTS)
    if as_text:
        click.echo(json.dumps(as_json(found), ensure_ascii=False))
    else:
        print_view(check_view(found))
    if any_failed(found):
        context.exit(FAILED_EXIT_CODE)
