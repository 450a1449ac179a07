"""Flower's own environment (docs/flower.md): its files, its variables and its password."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dispatcher.errors import ConfigError
from dispatcher.messages import QUEUES
from dispatcher.redis_url import kombu_options, kombu_url, parse_redis_url
from dispatcher.settings import Settings
from dispatcher.supervisor.operator_password import (
    password_file,
    read_operator_password,
    read_password_file,
    require_usable,
)

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = ROOT / ".venv-flower" / "bin" / "python"
# Written last: an environment without it is not complete.
STAMP: Final = ROOT / ".venv-flower" / "flower.stamp"
LAUNCHER: Final = ROOT / "config" / "flower" / "launcher.py"
USER: Final = "operator"
# What names modules of this environment would mislead the other one.
_OF_THIS_PYTHON: Final = frozenset({"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"})


def what_is_missing() -> str | None:
    """Return why Flower cannot run here, in words for the operator; None when it can."""
    if not LAUNCHER.is_file():
        return f"{LAUNCHER} is missing; Flower runs from a checkout of the project"
    if not (STAMP.is_file() and os.access(PYTHON, os.X_OK)):
        return "its environment is missing; scripts/environment.sh flower makes it"
    return None


def flower_environment(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the launcher reads; a password is there or in the file that is named there.

    Raises:
        ConfigError: the password cannot be used.
        StartError: the file of the password cannot be read or made.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name not in (*_OF_THIS_PYTHON, "REDIS_URL_FILE") and not name.startswith("FLOWER_")
    }
    return {
        **kept,
        **_password(settings),
        **_broker(settings),
        "FLOWER_HOST": settings.flower_host,
        "FLOWER_PORT": str(settings.flower_port),
        "FLOWER_READ_ONLY": str(settings.flower_read_only).lower(),
        "FLOWER_IDLE_S": str(settings.flower_idle_s),
        "FLOWER_QUEUES": ",".join(QUEUES),
    }


def _broker(settings: Settings) -> dict[str, str]:
    """Return the broker as kombu reads it: Flower's environment has nothing of ours in it."""
    address = parse_redis_url(settings.redis_url)
    options = {"transport": kombu_options(address), "tls": address.tls_options()}
    return {"REDIS_URL": kombu_url(address), "FLOWER_BROKER": json.dumps(options)}


def _password(settings: Settings) -> dict[str, str]:
    if settings.flower_password and settings.flower_password_file:
        raise ConfigError(["FLOWER_PASSWORD_FILE: was set beside FLOWER_PASSWORD; expected one of the two"])
    if settings.flower_password:
        require_usable(settings.flower_password, "FLOWER_PASSWORD")
        return {"FLOWER_PASSWORD": settings.flower_password}
    if settings.flower_password_file:
        path = Path(settings.flower_password_file).absolute()
        read_password_file(path)
        return {"FLOWER_PASSWORD_FILE": str(path)}
    password = read_operator_password(settings)
    if settings.operator_password:
        return {"FLOWER_PASSWORD": password}
    return {"FLOWER_PASSWORD_FILE": str(password_file(settings))}
