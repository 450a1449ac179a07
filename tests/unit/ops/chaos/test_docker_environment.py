"""Containers as `dispatcher verify --docker` reads them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatcher.errors import StartError
from dispatcher.ops.chaos.docker_environment import DockerEnvironment, as_process, is_in_container
from dispatcher.ops.fault_switch import FaultUnavailable
from dispatcher.supervisor.chaos_marker import MarkedProcess
from tests.unit.ops.chaos.inspected import inspected, put_docker_on_the_path


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that nobody may touch."""
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_container_is_a_part_by_its_labels() -> None:
    assert as_process(inspected("asr-1", "instance", pid=417, address="172.28.0.21")) == MarkedProcess(
        name="asr-1", role="instance", pid=417, port=None, host="172.28.0.21"
    )


def test_one_that_is_down_has_no_process() -> None:
    assert as_process(inspected("asr-1", "instance", pid=0)).pid is None


def test_an_instance_is_found_by_the_name_in_the_yaml_and_nginx_is_the_door() -> None:
    processes = [
        as_process(inspected("nginx", "nginx", address="172.28.0.2")),
        as_process(inspected("front-1", "front", address="172.28.0.11")),
        as_process(inspected("asr-1", "instance", address="172.28.0.21")),
    ]
    environment = DockerEnvironment()
    found = environment.process_at(processes, "asr-1", 8100)
    assert found is not None
    assert (found.host, found.port) == ("172.28.0.21", 8100)
    assert environment.process_at(processes, "front-1", 8000) is None
    assert environment.process_at(processes, "127.0.0.1", 8100) is None
    assert environment.entry_urls(processes) == ("http://172.28.0.2:8080",)


async def test_the_broker_is_reached_at_its_own_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = inspected("front-1", "front", environ=["REDIS_URL=redis://:secret@redis:6379/0"])
    broker = inspected("redis", "broker", address="172.28.0.3")
    put_docker_on_the_path(tmp_path, monkeypatch, [front, broker])
    assert await DockerEnvironment().redis_url() == "redis://:secret@172.28.0.3:6379/0"


async def test_without_a_container_that_allows_it_one_is_told_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_docker_on_the_path(tmp_path, monkeypatch, [])
    with pytest.raises(StartError, match="ALLOW_VERIFY=true docker-compose up"):
        await DockerEnvironment().processes()


async def test_of_several_projects_one_has_to_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_docker_on_the_path(
        tmp_path, monkeypatch, [inspected("redis", "broker"), inspected("redis", "broker", project="other")]
    )
    with pytest.raises(StartError, match="allow faults: other, xiaozhi; choose by --project"):
        await DockerEnvironment().processes()


async def test_without_docker_one_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartError, match="no `docker` command is here"):
        await DockerEnvironment().processes()


async def test_what_docker_complains_of_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "docker"
    command.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(StartError, match="`docker ps` failed: Cannot connect to the Docker daemon"):
        await DockerEnvironment().processes()


async def test_a_process_outside_its_container_gets_no_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bystander: subprocess.Popen[bytes]
) -> None:
    # As where Docker runs in a machine of its own, and a process of this one has the same number.
    described = inspected("asr-1", "instance", pid=bystander.pid)
    put_docker_on_the_path(tmp_path, monkeypatch, [described])
    with pytest.raises(FaultUnavailable, match="is no process of this host"):
        await DockerEnvironment().send(as_process(described), signal.SIGKILL)
    assert bystander.poll() is None


def test_a_process_of_nobody_is_in_no_container() -> None:
    assert not is_in_container(os.getpid(), "f" * 64)
    assert not is_in_container(2**22 + 1, "f" * 64)


async def test_the_url_of_the_broker_may_lie_in_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("redis://:hush@redis:6379/0\n")
    front = inspected("front-1", "front", environ=["REDIS_URL_FILE=/run/secrets/redis_url"])
    front["Mounts"] = [{"Source": str(secret), "Destination": "/run/secrets/redis_url"}]
    broker = inspected("redis", "broker", address="172.28.1.3")
    put_docker_on_the_path(tmp_path, monkeypatch, [front, broker])
    assert await DockerEnvironment("xiaozhi").redis_url() == "redis://:hush@172.28.1.3:6379/0"
