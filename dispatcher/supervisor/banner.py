"""Banner of `dispatcher up`: the addresses, a first thing to try, how to stop."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from dispatcher.front.http.own_addresses import network_address
from dispatcher.messages import OTA_PATH
from dispatcher.redis_url import parse_redis_url
from dispatcher.settings import Settings
from dispatcher.supervisor.flower_environment import USER
from dispatcher.supervisor.operator_password import PASSWORD_FILE
from dispatcher.supervisor.plan import Plan
from dispatcher.supervisor.process_spec import ListenAddress

_LOOPBACK: Final = "127.0.0.1"
_USUAL_FRONT: Final = ListenAddress(_LOOPBACK, 8000)


def banner_lines(plan: Plan, settings: Settings) -> list[str]:
    """Return the lines below the table, without an end of line."""
    lines = [f"{name} is not started: {reason}" for name, reason in plan.skipped]
    front = next((spec.address for spec in plan.specs if spec.role == "front"), None)
    if front is not None:
        lines += _front_lines(front, settings)
    flower = next((spec.address for spec in plan.specs if spec.role == "flower"), None)
    if flower is not None:
        lines.append(_flower_line(flower, settings))
    console = next((spec.address for spec in plan.specs if spec.role == "console"), None)
    if console is not None:
        lines.append(f"Console             http://{console.reachable}/  (to act: the operator's password)")
    metrics = ", ".join(f"{spec.name} {spec.metrics.reachable}" for spec in plan.specs if spec.metrics)
    if metrics:
        lines.append(f"Metrics (/metrics)  {metrics}")
    logs = settings.data_dir / "log"
    return [*lines, f"Logs                {logs}/NAME.log", "Stop                Ctrl-C"]


def _front_lines(front: ListenAddress, settings: Settings) -> list[str]:
    local = "localhost" if front.reachable.host == _LOOPBACK else front.host
    # The line works from any folder and with any DATA_DIR, so it names what `talk` could not know there.
    ota = "" if front.reachable == _USUAL_FRONT else f"--ota http://{front.reachable}{OTA_PATH} "
    return [
        f"Talk page           http://{ListenAddress(local, front.port)}/",
        f"Device OTA address  {network_address(settings)}",
        f"Try                 {own_command()} talk {ota}hello.wav",
    ]


def _flower_line(flower: ListenAddress, settings: Settings) -> str:
    local = "localhost" if flower.reachable.host == _LOOPBACK else flower.host
    where = (
        settings.flower_password_file
        or settings.operator_password_file
        or str(settings.data_dir / PASSWORD_FILE)
    )
    where = f"in {where}"
    # In the order of `flower_environment`.
    if settings.flower_password:
        where = "that of FLOWER_PASSWORD"
    elif settings.operator_password and not settings.flower_password_file:
        where = "that of OPERATOR_PASSWORD"
    return f"Flower              http://{ListenAddress(local, flower.port)}/  (user {USER}, password {where})"


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
