"""What the operator reads once everything runs: the addresses, a first thing to try, how to stop."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path
from typing import Final

from dispatcher.cli.flower_place import PASSWORD_FILE, USER
from dispatcher.cli.supervisor.parts import Address
from dispatcher.cli.supervisor.plan import Plan
from dispatcher.contracts import OTA_PATH
from dispatcher.redis_url import parse_redis_url
from dispatcher.settings import Settings

# An address for documentation; connecting a UDP socket sends nothing, it only picks the way out.
_SOMEWHERE: Final = ("192.0.2.1", 9)
_LOOPBACK: Final = "127.0.0.1"


def closing_lines(plan: Plan, settings: Settings) -> list[str]:
    """Return the lines below the table, without an end of line."""
    lines = [f"{name} is not started: {reason}" for name, reason in plan.skipped]
    front = next((part.address for part in plan.parts if part.role == "front"), None)
    if front is not None:
        lines += _front_lines(front, settings)
    flower = next((part.address for part in plan.parts if part.role == "flower"), None)
    if flower is not None:
        lines.append(_flower_line(flower, settings))
    logs = settings.data_dir / "log"
    return [*lines, f"Logs                {logs}/NAME.log", "Stop                Ctrl-C"]


def _front_lines(front: Address, settings: Settings) -> list[str]:
    local = "localhost" if front.reachable.host == _LOOPBACK else front.host
    public = settings.front_public_url.rstrip("/") or f"http://{_seen_from_the_lan(front)}:{front.port}"
    return [
        f"Talk page           http://{local}:{front.port}/",
        f"Device OTA address  {public}{OTA_PATH}",
        f"Try                 {own_command()} talk hello.wav",
    ]


def _flower_line(flower: Address, settings: Settings) -> str:
    local = "localhost" if flower.reachable.host == _LOOPBACK else flower.host
    where = settings.flower_password_file or str(settings.data_dir / PASSWORD_FILE)
    where = "that of FLOWER_PASSWORD" if settings.flower_password else f"in {where}"
    return f"Flower              http://{local}:{flower.port}/  (user {USER}, password {where})"


def _seen_from_the_lan(front: Address) -> str:
    """Return the host that devices use; a front that listens on one address is reached there only."""
    return lan_address() if front.reachable != front else front.host


def lan_address() -> str:
    """Return this machine's address on the network that leads outside; loopback without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_SOMEWHERE)
        except OSError:
            return _LOOPBACK
        return str(probe.getsockname()[0])


def own_command() -> str:
    """Return how to call `dispatcher` from here: by its path when the environment is not activated."""
    beside_python = Path(sys.executable).with_name("dispatcher")
    if shutil.which("dispatcher") == str(beside_python) or not beside_python.exists():
        return "dispatcher"
    here = Path.cwd()
    return str(beside_python.relative_to(here) if beside_python.is_relative_to(here) else beside_python)


def redis_address(settings: Settings) -> str:
    """Return host and port of the Redis URL, without its password."""
    return str(parse_redis_url(settings.redis_url))
