"""`dispatcher verify`: faults in a stack that allows it, while devices talk; a verdict for each figure."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from dispatcher.data_dir import write_private
from dispatcher.errors import StateError
from dispatcher.logs import configure_logging
from dispatcher.ops.bench.devices import stop_on_sigterm
from dispatcher.ops.chaos.docker_environment import Containers
from dispatcher.ops.chaos.faults import FAULTS
from dispatcher.ops.chaos.page import page
from dispatcher.ops.chaos.run import VerifyPlan, VerifyReport, parse_names, run
from dispatcher.ops.chaos.supervised_environment import Supervised
from dispatcher.ops.chaos.view import as_json, report_view
from dispatcher.ops.redis_session import explain
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.settings import load_settings
from dispatcher.supervisor.resolve_settings import resolve_settings
from dispatcher.terminal.console import make_console

FAILED_EXIT_CODE: Final = 1
INTERRUPTED_EXIT_CODE: Final = 130
QUICK: Final = {"baseline_s": 4.0, "fault_s": 4.0, "well_within_s": 40.0}
DEFAULT_DEVICES: Final = 8
QUICK_DEVICES: Final = 4


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
    plan = VerifyPlan(
        names=tuple(names),
        devices=devices or (QUICK_DEVICES if quick else DEFAULT_DEVICES),
        **(QUICK if quick else {}),
    )
    report = _carry_out(context, plan, Containers(project) if docker or project else None)
    console = make_console()
    console.print(report_view(report), soft_wrap=not console.is_terminal)
    if json_file is not None:
        write_private(json_file, json.dumps(as_json(report), indent=1))
    if html_file is not None:
        write_private(html_file, page(report))
    if report.problems:
        context.exit(FAILED_EXIT_CODE)


def _carry_out(context: click.Context, plan: VerifyPlan, containers: Containers | None) -> VerifyReport:
    settings = load_settings({"LOG_LEVEL": "error"})
    configure_logging(settings)  # what breaks on purpose needs no warnings
    began = time.monotonic()

    def tell(text: str) -> None:
        passed_s = int(time.monotonic() - began)
        click.echo(f"{passed_s // 60}:{passed_s % 60:02d}  {text}")

    # Also where a shell that put this into the background had SIGINT ignored: a stop has to undo the fault.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with asyncio.Runner() as runner:
            stop_on_sigterm(runner.get_loop())
            return runner.run(_with_line(plan, tell, containers))
    except KeyboardInterrupt:
        click.echo("interrupted; every fault is undone", err=True)
        context.exit(INTERRUPTED_EXIT_CODE)


async def _with_line(
    plan: VerifyPlan, tell: Callable[[str], None], containers: Containers | None
) -> VerifyReport:
    redis_url = await containers.redis_url() if containers else resolve_settings().redis_url
    redis = RedisClient(connect(redis_url))
    try:
        return await run(redis, containers or Supervised(redis), plan, tell)
    except StateError as error:
        raise StateError(explain(error, redis_url)) from error
    finally:
        await redis.close()
