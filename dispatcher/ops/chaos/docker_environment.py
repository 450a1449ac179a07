"""Environment of Docker on this host: containers whose labels allow it, and that Docker starts again.

`docker kill` would tell Docker that somebody wants the container stopped, and it stayed away. So the process
gets the signal itself, as from a crash, and the container's restart policy is part of the test.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from dispatcher.errors import StartError
from dispatcher.ops.chaos.environment import running
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.supervisor.chaos_marker import MarkedProcess

ALLOWED: Final = "dispatcher.verify=true"
ROLE: Final = "dispatcher.role"
PROJECT: Final = "com.docker.compose.project"
SERVICE: Final = "com.docker.compose.service"
HOW: Final = (
    "start them with ALLOW_VERIFY=true docker-compose up -d, where nobody depends on them, "
    "and run this as root on the same host"
)
ENTRY_PORT: Final = 8080
DOCKER_TIMEOUT_S: Final = 10.0


class DockerEnvironment:
    """The containers of one Compose project; Docker is asked anew before each fault."""

    def __init__(self, project: str = "") -> None:
        """LoadSample at nothing yet; without a name the one project that allows it is meant."""
        self._project = project

    async def processes(self) -> tuple[MarkedProcess, ...]:
        """Return the containers as they are now; see `Environment`."""
        return tuple(as_process(each) for each in await self._inspect())

    async def send(self, process: MarkedProcess, how: signal.Signals) -> None:
        """Send a signal to the first process of a container, and to no other; see `Environment`."""
        now = next((each for each in await self._inspect() if name_of(each) == process.name), None)
        pid = as_process(now).pid if now else None
        if now is None or pid is None:
            raise FaultUnavailable(f"{process.name} does not run")
        if not is_in_container(pid, now["Id"]):
            raise FaultUnavailable(
                f"pid {pid} of {process.name} is no process of this host; Docker runs elsewhere"
            )
        try:
            os.kill(pid, how)
        except PermissionError as error:
            raise FaultUnavailable(
                f"{process.name} (pid {pid}) is not this user's; run this as root"
            ) from error
        except ProcessLookupError as error:
            raise FaultUnavailable(f"{process.name} (pid {pid}) has just ended") from error

    def process_at(
        self, processes: Sequence[MarkedProcess], hostname: str, port: int
    ) -> MarkedProcess | None:
        """Return the instance whose container has the name that the YAML gives; see `Environment`."""
        found = next(
            (process for process in running(processes, "instance") if process.name == hostname), None
        )
        return None if found is None else replace(found, port=port)

    def entry_urls(self, processes: Sequence[MarkedProcess]) -> tuple[str, ...]:
        """Return nginx; see `Environment`."""
        return tuple(
            f"http://{process.host}:{ENTRY_PORT}" for process in processes if process.role == "nginx"
        )

    async def redis_url(self) -> str:
        """Return the broker as it is reached from here.

        Raises:
            StartError: no container of the project is one.
        """
        containers = await self._inspect()
        brokers = [each for each in containers if each["Config"]["Labels"].get(ROLE) == "broker"]
        urls = (_variable(each, "REDIS_URL") or _held(each, "REDIS_URL_FILE") for each in containers)
        url = next((each for each in urls if each), "")
        if not brokers or not url:
            raise StartError("no container that allows faults is the broker; its role is a label")
        inside = urlsplit(url)
        outside = inside.netloc.replace(inside.hostname or "", address_of(brokers[0]))
        return inside._replace(netloc=outside).geturl()

    async def _inspect(self) -> list[dict[str, Any]]:
        filters = [f"label={ALLOWED}", *([f"label={PROJECT}={self._project}"] if self._project else [])]
        named = [word for each in filters for word in ("--filter", each)]
        ids = (await _docker("ps", "--all", "--quiet", "--no-trunc", *named)).split()
        if not ids:
            raise StartError(f"no containers of this host allow faults: {HOW}")
        found: list[dict[str, Any]] = json.loads(await _docker("inspect", *ids))
        projects = sorted({each["Config"]["Labels"].get(PROJECT, "") for each in found})
        if len(projects) > 1:
            raise StartError(f"several projects allow faults: {', '.join(projects)}; choose by --project")
        return found


def as_process(inspected: Mapping[str, Any]) -> MarkedProcess:
    """Return what `docker inspect` says of a container as a process; `pid` is that of its first process."""
    return MarkedProcess(
        name=name_of(inspected),
        role=inspected["Config"]["Labels"].get(ROLE, ""),
        pid=inspected["State"]["Pid"] or None,
        port=None,
        host=address_of(inspected),
    )


def name_of(inspected: Mapping[str, Any]) -> str:
    """Return the name by which the other containers know it."""
    return str(inspected["Config"]["Labels"].get(SERVICE) or inspected["Name"].lstrip("/"))


def address_of(inspected: Mapping[str, Any]) -> str:
    """Return its address in its network; empty while it has none."""
    networks = inspected["NetworkSettings"]["Networks"].values()
    return next((each["IPAddress"] for each in networks if each["IPAddress"]), "")


def is_in_container(pid: int, container_id: str) -> bool:
    """Return whether a process of this host belongs to a container, as its control groups say."""
    try:
        return container_id in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii")
    except OSError:
        return False


def _variable(inspected: Mapping[str, Any], name: str) -> str:
    assigned = (each.partition("=") for each in inspected["Config"]["Env"] or [])
    return next((value for variable, _, value in assigned if variable == name), "")


def _held(inspected: Mapping[str, Any], name: str) -> str:
    """Return what the file of a variable holds, read where this host has it; empty where it cannot be."""
    inside = _variable(inspected, name)
    source = next(
        (each["Source"] for each in inspected.get("Mounts", ()) if each["Destination"] == inside), ""
    )
    try:
        return Path(source).read_text(encoding="utf-8").strip() if source else ""
    except OSError:
        return ""


async def _docker(*words: str) -> str:
    """Return what the `docker` command prints."""
    try:
        process = await asyncio.create_subprocess_exec(
            *("docker", *words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(DOCKER_TIMEOUT_S):
            output, errors = await process.communicate()
    except FileNotFoundError as error:
        raise StartError("no `docker` command is here; run this on the host of the containers") from error
    except TimeoutError as error:
        process.kill()
        raise StartError(f"`docker {words[0]}` took longer than {DOCKER_TIMEOUT_S:g} s") from error
    if process.returncode != 0:
        raise StartError(f"`docker {words[0]}` failed: {errors.decode(errors='replace').strip()}")
    return output.decode()
