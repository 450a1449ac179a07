"""Settings of a command beside a running `dispatcher up`: the same YAML and addresses."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import structlog

from dispatcher.messages import OTA_PATH
from dispatcher.settings import Settings, load_settings
from dispatcher.supervisor.process_spec import ListenAddress
from dispatcher.supervisor.state_file import RunningUp, find_up

# Variables of a part's host and port, and those that say where it is in another way.
_VARIABLES: Final = {
    "front": ("FRONT_HOST", "FRONT_PORT", ()),
    "broker": ("", "BROKER_PORT", ("REDIS_URL", "REDIS_URL_FILE")),
    "flower": ("FLOWER_HOST", "FLOWER_PORT", ()),
    "console": ("CONSOLE_HOST", "CONSOLE_PORT", ()),
}


def resolve_settings(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings, with the YAML and the addresses that the operator means.

    Those are named by option or environment, else they are those of the `dispatcher up` on this DATA_DIR:
    after `FRONT_PORT=8003 make run CONFIG=config/mine.yaml`, `dispatcher reload` in a second terminal does
    not mean embedded.yaml, nor `dispatcher talk` port 8000.

    Raises:
        ConfigError: a variable is wrong.
    """
    if not structlog.is_configured():
        # What a command prints on stdout may be read by a program.
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    environ = os.environ if environ is None else environ
    named = {**environ, **({"DISPATCHER_CONFIG": str(config)} if config else {})}
    settings = load_settings(named)
    running = find_up(settings.data_dir)
    if running is None:
        return settings
    return load_settings(
        {**_variables_of(running, named), **{name: text for name, text in named.items() if text}}
    )


def front_url(settings: Settings) -> str:
    """Return where the front of these settings is reached from this host, as http://HOST:PORT."""
    return f"http://{ListenAddress(settings.front_host, settings.front_port).reachable}"


def console_turn_url(settings: Settings, device_id: str) -> str:
    """Return where the console shows the last turn of a device; empty where no console is known to run."""
    if not settings.console_link:
        return ""
    address = ListenAddress(settings.console_host, settings.console_port).reachable
    return f"http://{address}/#{urlencode({'device': device_id})}"


def ota_url(settings: Settings) -> str:
    """Return the OTA address of the front of these settings, as a device on this host needs it."""
    return f"{front_url(settings)}{OTA_PATH}"


def _variables_of(running: RunningUp, named: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a `dispatcher up` was started with, as far as they matter beside it."""
    found = {"DISPATCHER_CONFIG": str(running.config)} if running.config else {}
    found["CONSOLE_LINK"] = str("console" in running.addresses).lower()
    for role, (host_name, port_name, others) in _VARIABLES.items():
        address = running.addresses.get(role)
        if address is None or any(named.get(name) for name in (host_name, port_name, *others)):
            continue
        found |= {port_name: str(address[1]), **({host_name: address[0]} if host_name else {})}
    return found
