"""`dispatcher up`: everything in the Procfile, started in order and kept running."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from dispatcher.catalogue import load_catalogue
from dispatcher.data_dir import make_private
from dispatcher.logs import configure_logging
from dispatcher.messages import SCREEN_TURNS_VARIABLE
from dispatcher.settings import load_settings
from dispatcher.supervisor.banner import redis_address
from dispatcher.supervisor.plan import make_plan, without_taken_ports
from dispatcher.supervisor.ports import is_taken, require_free_ports
from dispatcher.supervisor.process import watch_ends_by_pidfd
from dispatcher.supervisor.process_launcher import process_environment
from dispatcher.supervisor.procfile import read_procfile
from dispatcher.supervisor.state_file import StateFile
from dispatcher.supervisor.supervisor import Supervisor
from dispatcher.supervisor.terminal_ui import TerminalUi
from dispatcher.terminal.console import make_console
from dispatcher.terminal.output import outlive_reader


@click.command("up")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The YAML file; else DISPATCHER_CONFIG, else embedded.yaml.",
)
@click.option("--procfile", type=click.Path(path_type=Path), default=Path("Procfile"), show_default=True)
@click.option("--verbose", is_flag=True, help="Show all that the processes print, not only what matters.")
def up(config: Path | None, procfile: Path, *, verbose: bool) -> None:
    """Run everything in the Procfile, and keep it running until Ctrl-C.

    What a process prints is kept in DATA_DIR/log/NAME.log.
    """
    outlive_reader()
    make_private()
    settings = load_settings({**os.environ, **({"DISPATCHER_CONFIG": str(config)} if config else {})})
    # What is odd about the YAML is said once on the screen, by the processes, not here as a raw log line too.
    configure_logging(settings.model_copy(update={"log_level": "error"}))
    catalogue = load_catalogue(settings.dispatcher_config)
    environment = process_environment(settings)
    plan = make_plan(read_procfile(procfile), catalogue=catalogue, environ=environment)
    plan = without_taken_ports(plan, is_taken)
    for role in ("flower", "console"):
        environment[f"{role.upper()}_LINK"] = str(any(spec.role == role for spec in plan.specs)).lower()
    ui = TerminalUi(make_console(), verbose=verbose, redis_address=redis_address(settings))
    environment[SCREEN_TURNS_VARIABLE] = "text" if ui.is_terminal else "plain"
    with StateFile(settings.data_dir, config=settings.dispatcher_config) as state_file:
        require_free_ports(plan.specs)
        supervisor = Supervisor(plan, settings, environment, ui=ui, state_file=state_file)
        watch_ends_by_pidfd()
        asyncio.run(supervisor.run())
