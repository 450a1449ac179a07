"""The whole stack in containers, hurt on purpose: where a Docker engine and the local images are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.deployment.test_compose_file import FILES, compose_command
from tests.support.processes import BIN, ROOT, free_port, own_environment

# Built as docs/deployment.md says under "Without a registry of images".
IMAGES: Final = ("dispatcher", "flower", "instance", "mariadb", "nginx", "redis")
PROJECT: Final = "xiaozhi-trial"

pytestmark = pytest.mark.timeout(900)


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def compose() -> list[str]:
    """The command line of a project of its own; without an engine, no promise of CI, this skips there too."""
    if shutil.which("docker") is None or docker("info").returncode != 0:
        pytest.skip("no Docker engine runs here")
    missing = [name for name in IMAGES if docker("image", "inspect", f"xiaozhi-{name}").returncode != 0]
    if missing:
        pytest.skip(f"no local images of {', '.join(missing)} (docs/deployment.md)")
    if docker("network", "ls", "--quiet", "--filter", "name=_edge$").stdout.strip():
        pytest.skip("another stack runs in containers here; their addresses would be the same")
    return [*compose_command(), "-p", PROJECT, *(word for file in FILES for word in ("-f", file))]


@pytest.fixture(scope="module")
def trial(compose: list[str]) -> Iterator[list[str]]:
    """The stack, up and well, with permission to be hurt."""
    subprocess.run([ROOT / "config" / "docker" / "make-secrets.sh"], check=True)
    ports = {"HTTP_PORT": f"127.0.0.1:{free_port()}", "HTTPS_PORT": f"127.0.0.1:{free_port()}"}
    environ = {**os.environ, **ports, "ALLOW_VERIFY": "true"}
    try:
        subprocess.run([*compose, "up", "-d", "--no-build"], cwd=ROOT, env=environ, check=True)
        yield compose
    finally:
        subprocess.run([*compose, "down", "--volumes", "--timeout", "5"], cwd=ROOT, env=environ, check=True)


def test_the_stack_in_containers_takes_every_fault(trial: list[str], tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    said = subprocess.run(
        [BIN / "dispatcher", "verify", "--docker", "--project", PROJECT, "--quick", "--json", str(report)],
        env=own_environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), f"{said.stdout}\n{said.stderr}"
    found = {each["fault"]: each for each in json.loads(report.read_text())["faults"]}
    # How busy the host is, is nothing of the stack's.
    problems = [problem for each in found.values() for problem in each["problems"] if "alert" not in problem]
    assert problems == [], said.stdout
    # The disk of the engine is the host's own.
    assert [name for name, each in found.items() if each["skipped"]] == ["disk"]
    assert sum(each["outcomes"]["silent"] for each in found.values()) == 0
    running = subprocess.run(
        [*trial, "ps", "-q"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    states = docker("inspect", "--format", "{{.State.Running}}", *running).stdout.split()
    assert states == ["true"] * len(running)
