"""`dispatcher verify`: faults in a stack that allows it, while devices talk; a verdict for each figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from dispatcher.data_dir import write_private
from dispatcher.ops.chaos.chaos_test import VerifyPlan, parse_names
from dispatcher.ops.chaos.faults import FAULTS
from dispatcher.ops.chaos.report_page import page
from dispatcher.ops.chaos.report_tables import as_json, report_view
from dispatcher.ops.chaos.verify_session import run_verify
from dispatcher.terminal.console import print_view

FAILED_EXIT_CODE: Final = 1
INTERRUPTED_EXIT_CODE: Final = 130


@click.command("verify")
@click.option("--only", default="", metavar="NAMES", help=f"Some of {', '.join(FAULTS)}.  [default: all]")
@click.option("--devices", type=click.IntRange(1, 200), help="How many talk.  [default: 8; with --quick 4]")
@click.option("--quick", is_flag=True, help="Leave each fault in place for 4 s instead of 15 s.")
@click.option(
    "--docker",
    is_flag=True,
    help="Inject faults into the containers of this host instead of `dispatcher up`.",
)
@click.option("--project", default="", help="Which Compose project, where several allow it.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Write all of it.")
@click.option("--html", "html_file", type=click.Path(dir_okay=False, path_type=Path), help="Write a page.")
@click.pass_context
def verify(
    context: click.Context,
    *,
    only: str,
    devices: int | None,
    quick: bool,
    docker: bool,
    project: str,
    json_file: Path | None,
    html_file: Path | None,
) -> None:
    """Inject faults into a running stack, within bounds, while devices talk, and judge each figure.

    Only a `dispatcher up` on this host that was started with ALLOW_VERIFY=true is touched, and only the
    processes that it started; with --docker, only containers that were started so. Every fault is undone,
    also after Ctrl-C. All of it takes some five minutes, ten at most. The exit code is 1 where a turn was
    silent, or the stack did not get well.
    """
    try:
        names = parse_names(only)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--only") from error
    plan = VerifyPlan.of(names, devices, quick=quick)
    try:
        report = run_verify(plan, click.echo, project if docker or project else None)
    except KeyboardInterrupt:
        click.echo("interrupted; every fault is undone", err=True)
        context.exit(INTERRUPTED_EXIT_CODE)
    print_view(report_view(report))
    if json_file is not None:
        write_private(json_file, json.dumps(as_json(report), indent=1))
    if html_file is not None:
        write_private(html_file, page(report))
    if report.problems:
        context.exit(FAILED_EXIT_CODE)
