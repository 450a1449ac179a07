"""Answers of `docker inspect`, and a command that prints them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest


def inspected(
    service: str,
    role: str,
    *,
    pid: int = 4711,
    address: str = "172.28.0.128",
    project: str = "xiaozhi",
    environ: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the part of Docker's answer that matters, in its form (20.10 and 28)."""
    return {
        "Id": (service + "0" * 64).encode().hex()[:64],
        "Name": f"/{project}_{service}_1",
        "State": {"Status": "running" if pid else "exited", "Running": bool(pid), "Pid": pid},
        "Config": {
            "Env": [*environ, "PATH=/usr/local/bin:/usr/bin"],
            "Labels": {
                "com.docker.compose.project": project,
                "com.docker.compose.service": service,
                "dispatcher.role": role,
                "dispatcher.verify": "true",
            },
        },
        "NetworkSettings": {"Networks": {f"{project}_xiaozhi": {"IPAddress": address if pid else ""}}},
    }


def put_docker_on_the_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch, containers: Sequence[dict[str, Any]]
) -> None:
    """Let `docker ps` and `docker inspect` tell of these containers."""
    (folder / "inspect.json").write_text(json.dumps(containers))
    (folder / "ps.txt").write_text("".join(f"{each['Id']}\n" for each in containers))
    command = folder / "docker"
    command.write_text(
        f'#!/bin/sh\ncase "$1" in ps) cat {folder}/ps.txt;; inspect) cat {folder}/inspect.json;; esac\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
