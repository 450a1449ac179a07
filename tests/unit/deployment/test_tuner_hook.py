"""The hook of the tuner that config/tuner has, against programs that only say how they were called."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dispatcher.control.instance_control import read_added, run_hook
from dispatcher.errors import ActionRefused
from tests.support.processes import ROOT, free_port
from tests.support.waiting import soon

HOOK = ROOT / "config" / "tuner" / "hook.py"


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which systemctl, docker and kubectl write their arguments."""
    log = tmp_path / "called"
    for name in ("systemctl", "docker", "docker-compose", "kubectl"):
        stub = tmp_path / name
        container = '[ "$1 $3" = "ps asr-1" ] && echo c0ffee'
        stub.write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n{container}\nexit 0\n')
        stub.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return log


@contextmanager
def serving(address: str) -> Iterator[None]:
    """Let the hook serve at an address, for as long as the block lasts."""
    with subprocess.Popen([sys.executable, str(HOOK), "--listen", address, "compose"]) as server:
        try:
            yield
        finally:
            server.terminate()


def calls(log: Path) -> list[str]:
    """Return what was called, in order."""
    return log.read_text().splitlines()


def way(folder: Path, name: str) -> str:
    """Return the hook under the name that says which way it takes."""
    link = folder / f"hook-{name}.py"
    link.symlink_to(HOOK)
    return str(link)


async def test_systemd_starts_units_that_have_an_environment_and_a_port(called: Path, tmp_path: Path) -> None:
    said = await run_hook(way(tmp_path, "systemd"), ("instances", "asr", "1"))
    assert read_added(said, "asr", frozenset({"asr/asr-1"})) == {"asr-1-extra-1": "http://127.0.0.1:8110/v1"}
    assert calls(called) == [
        "systemctl start xiaozhi-instance@asr-extra-1",
        "systemctl stop xiaozhi-instance@asr-extra-2",
    ]
    for service, port in (("asr", 8110), ("llm", 8210), ("tts", 8310)):
        for number in (1, 2):
            text = (ROOT / f"config/systemd/instances/{service}-extra-{number}.env").read_text()
            assert f"SERVICE={service}\n" in text
            assert f"--port {port + number - 1}\n" in text


async def test_systemd_restarts_and_weighs_units(called: Path, tmp_path: Path) -> None:
    hook = way(tmp_path, "systemd")
    await run_hook(hook, ("restart", "llm", "llm-1"))
    await run_hook(hook, ("throttle", "on"))
    lines = calls(called)
    assert lines[0] == "systemctl restart xiaozhi-instance@llm-1"
    assert "systemctl set-property --runtime xiaozhi-instance@tts-1.service CPUWeight=25" in lines


async def test_containers_are_restarted_and_weighed_and_not_multiplied(called: Path, tmp_path: Path) -> None:
    hook = way(tmp_path, "compose")
    await run_hook(hook, ("restart", "asr", "asr-2"))
    await run_hook(hook, ("throttle", "off"))
    lines = calls(called)
    assert lines[0] == "docker-compose restart asr-2"
    assert "docker update --cpu-shares 512 c0ffee" in lines
    with pytest.raises(ActionRefused, match="no room for another container"):
        await run_hook(hook, ("instances", "asr", "1"))


async def test_kubernetes_scales_and_restarts_deployments(called: Path, tmp_path: Path) -> None:
    hook = way(tmp_path, "kubernetes")
    await run_hook(hook, ("instances", "asr", "1"))
    await run_hook(hook, ("restart", "asr", "asr"))
    assert calls(called) == [
        "kubectl scale deployment/asr --replicas=2",
        "kubectl rollout restart deployment/asr",
    ]
    with pytest.raises(ActionRefused, match="set them there"):
        await run_hook(hook, ("throttle", "on"))


async def test_it_serves_those_who_know_its_path_and_lets_no_strange_word_through(called: Path) -> None:
    port = free_port()
    address = f"127.0.0.1:{port}/s3cret"
    with serving(address):

        async def is_done() -> bool:
            try:
                return await run_hook(f"http://{address}", ("restart", "asr", "asr-1")) == ""
            except ActionRefused:
                return False

        await soon(is_done, what="the hook serves", within_s=20)
        with pytest.raises(ActionRefused, match="answered 404"):
            await run_hook(f"http://127.0.0.1:{port}/guess", ("restart", "asr", "asr-1"))
        with pytest.raises(ActionRefused, match="words that are none"):
            await run_hook(f"http://{address}", ("restart", "asr", "--help"))
    assert calls(called)[-1] == "docker-compose restart asr-1"
