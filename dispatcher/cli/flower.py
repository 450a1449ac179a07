"""`dispatcher flower`: Flower behind a password; the process becomes it, so signals reach it."""

from __future__ import annotations

import os

import click

from dispatcher.data_dir import make_private
from dispatcher.errors import StartError
from dispatcher.settings import load_settings
from dispatcher.supervisor.flower_environment import LAUNCHER, PYTHON, flower_environment, what_is_missing


@click.command("flower")
def flower() -> None:
    """Run Flower, the page that shows workers and tasks.

    It listens at FLOWER_HOST (127.0.0.1) and FLOWER_PORT (5555). The user is `operator`; the password
    is made at the first start and lies in DATA_DIR/flower-password.
    """
    make_private()
    settings = load_settings()
    missing = what_is_missing()
    if missing:
        raise StartError(f"Flower cannot run: {missing}")
    environ = flower_environment(settings, os.environ)
    os.execve(PYTHON, [str(PYTHON), str(LAUNCHER)], environ)  # noqa: S606  no shell is wanted
