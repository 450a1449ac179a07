"""`dispatcher verify`: faults in a stack that allows it, while devices talk; a verdict for each figure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
from rich.console import RenderableType

from dispatcher.data_dir import write_private
from dispatcher.ops.chaos.chaos_plan import VerifyPlan, parse_names
from dispatcher.ops.chaos.chaos_test import run
from dispatcher.ops.chaos.faults import FAULTS
from dispatcher.ops.chaos.report_page import page
from dispatcher.ops.chaos.report_tables import as_json, report_view
from dispatcher.ops.chaos.soak_report import soak_json, soak_page, soak_view
from dispatcher.ops.chaos.soak_test import SoakPlan, run_soak
from dispatcher.ops.chaos.verify_session import run_verify
from dispatcher.terminal.console import print_view

FAILED_EXIT_CODE: Final = 1
INTERRUPTED_EXIT_CODE: Final = 130


def _names(_context: click.Context, _parameter: click.Parameter, text: str) -> Sequence[str]:
    try:
        return parse_names(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _finite(_context: click.Context, _parameter: click.Parameter, value: float | None) -> float | None:
    """Return a number that is one: NaN is in every range."""
    if value is not None and math.isnan(value):
        raise click.BadParameter(f"was {value}; expected minutes, 0.25 to 1440")
    return value


@click.command("verify")
@click.option(
    *("--only", "names"),
    default="",
    callback=_names,
    metavar="NAMES",
    help=f"Some of {', '.join(FAULTS)}.  [default: all]",
)
@click.option(
    "--devices",
    type=click.IntRange(1, 200),
    help="How many talk; of a soak, at most.  [default: 8; --quick 4, --soak 200]",
)
@click.option(
    "--soak",
    "soak_minutes",
    type=click.FloatRange(0.25, 1440),
    callback=_finite,
    metavar="MINUTES",
    help="Hold the stack at 75 to 85 % CPU for so long instead, with a fault now and then.",
)
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
    names: Sequence[str],
    devices: int | None,
    soak_minutes: float | None,
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
    silent, or the stack did not get well; of a soak also where 99.5 % of the turns or the load was missed.
    """
    where = project if docker or project else None
    try:
        if soak_minutes is None:
            shown = _verified(VerifyPlan.of(names, devices, quick=quick), where)
        else:
            shown = _soaked(SoakPlan.of(soak_minutes, names, devices, quick=quick), where)
    except KeyboardInterrupt:
        click.echo("interrupted; every fault is undone", err=True)
        context.exit(INTERRUPTED_EXIT_CODE)
    shown.put_out(json_file, html_file)
    context.exit(FAILED_EXIT_CODE if shown.problems else 0)


class ReportOutput(NamedTuple):
    """A report for the screen, as JSON and as a page."""

    view: RenderableType
    found: dict[str, Any]
    page: str
    problems: list[str]

    def put_out(self, json_file: Path | None, html_file: Path | None) -> None:
        """Print it, and write the files that are named."""
        print_view(self.view)
        if json_file is not None:
            write_private(json_file, json.dumps(self.found, indent=1))
        if html_file is not None:
            write_private(html_file, self.page)


def _verified(plan: VerifyPlan, where: str | None) -> ReportOutput:
    report = run_verify(lambda redis, stack, say: run(redis, stack, plan, say), click.echo, where)
    return ReportOutput(report_view(report), as_json(report), page(report), report.problems)


def _soaked(plan: SoakPlan, where: str | None) -> ReportOutput:
    report = run_verify(lambda redis, stack, say: run_soak(redis, stack, plan, say), click.echo, where)
    return ReportOutput(soak_view(report), soak_json(report), soak_page(report), report.problems)
