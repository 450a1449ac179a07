"""The compose files are read by docker-compose itself, version 1.29 or 2."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dispatcher.redis_url import parse_redis_url
from tests.support.broker import give_up
from tests.support.processes import ROOT

FILES = ["docker-compose.yml", "config/docker/docker-compose.airgapped.yml"]


def compose_command() -> list[str]:
    """Return docker-compose, of whichever version is here."""
    if path := shutil.which("docker-compose"):
        return [path]
    if docker := shutil.which("docker"):
        plugin = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return [docker, "compose"]
    give_up("no docker-compose is installed (apt-get install docker-compose)")
    return None


@pytest.mark.parametrize("files", [FILES[:1], FILES], ids=["site", "airgapped"])
@pytest.mark.parametrize("profile", [[], ["--profile", "monitoring"]], ids=["plain", "monitoring"])
def test_docker_compose_takes_the_file(files: list[str], profile: list[str]) -> None:
    named = [word for file in files for word in ("-f", file)]

    result = subprocess.run(
        [*compose_command(), *named, *profile, "config", "--quiet"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


def test_the_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    script = ROOT / "config" / "docker" / "make-secrets.sh"
    (tmp_path / "secrets").mkdir()
    copy = shutil.copy(script, tmp_path / script.name)
    subprocess.run([copy], check=True)
    first = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    subprocess.run([copy], check=True)

    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == first
    assert first["mysql_password"] in first["database_url"]
    for name in ("redis_url", "cache_url", "redis_exporter"):
        assert first["redis_password"] in first[name]
    parse_redis_url(first["redis_url"])
    assert len(json.loads(first["redis_exporter"])) == 2
    assert len(set(first.values())) == len(first) == 9
    assert all(len(value) >= 48 for value in first.values())
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
