"""The systemd units: systemd itself reads them, and they say what the documents promise."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from dispatcher.catalogue import load_catalogue
from dispatcher.messages import QUEUES
from dispatcher.settings import Settings
from tests.architecture.tree import ROOT
from tests.support.broker import give_up

UNITS: Final = ROOT / "config" / "systemd"
COMMON: Final = UNITS / "xiaozhi-.service.d" / "10-common.conf"
STARTED: Final = (
    *(f"xiaozhi-front@{port}.service" for port in (8000, 8001)),
    *(f"xiaozhi-worker@{queue}.service" for queue in QUEUES),
    *("xiaozhi-broker.service", "xiaozhi-beat.service", "xiaozhi-flower.service"),
    "xiaozhi-console.service",
    *(f"xiaozhi-instance@{name}.service" for name in ("asr-1", "asr-2", "llm-1", "llm-2", "tts-1", "tts-2")),
)
WORST_EXPOSURE: Final = 2.0


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units as `make install-systemd` puts them, and programs where it looks for them."""
    destination = tmp_path_factory.mktemp("root")
    words = ["make", "--no-print-directory", "install-systemd", f"DESTDIR={destination}"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    programs = destination / "opt" / "xiaozhi" / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("dispatcher", "celery"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    folder = destination / "usr" / "lib" / "systemd" / "system"
    for unit in folder.rglob("*.*"):
        if unit.is_file():
            unit.write_text(unit.read_text().replace("/opt/xiaozhi", str(destination / "opt" / "xiaozhi")))
    return folder


def analyze(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Ask systemd about the installed units, beside the units of this machine."""
    program = shutil.which("systemd-analyze")
    if program is None:
        give_up("no systemd-analyze on this machine: install systemd")
    environ = {"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin", "SYSTEMD_COLORS": "0"}
    return subprocess.run([program, *words], env=environ, capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_wrong_with_any_unit(installed: Path) -> None:
    seen = analyze(installed, "verify", "--man=no", "xiaozhi.target", *STARTED)
    # What this machine's own units say is not about ours.
    ours = [line for line in seen.stderr.splitlines() if "xiaozhi" in line]
    assert not ours
    assert seen.returncode == 0, seen.stderr


@pytest.mark.parametrize("unit", ["xiaozhi-front@8000.service", "xiaozhi-worker@llm.service"])
def test_a_service_that_was_broken_into_can_reach_little(installed: Path, unit: str) -> None:
    seen = analyze(installed, "security", "--offline=true", unit)
    level = re.search(r"Overall exposure level for .*: ([\d.]+)", seen.stdout)
    assert level, seen.stdout + seen.stderr
    assert float(level[1]) <= WORST_EXPOSURE


def test_the_target_starts_two_fronts_and_a_worker_for_every_queue() -> None:
    wanted = set(re.findall(r"xiaozhi-\S+\.service", (UNITS / "xiaozhi.target").read_text()))
    assert {f"xiaozhi-worker@{queue}.service" for queue in QUEUES} <= wanted
    assert {"xiaozhi-front@8000.service", "xiaozhi-front@8001.service"} <= wanted
    assert wanted <= set(STARTED)


@pytest.mark.parametrize(
    ("unit", "limits"),
    [
        ("xiaozhi-front@8000.service.d/limits.conf", ("150%", "2G")),
        ("xiaozhi-front@8001.service.d/limits.conf", ("100%", "1536M")),
        ("xiaozhi-instance@asr-1.service.d/limits.conf", ("100%", "1G")),
        ("xiaozhi-instance@asr-2.service.d/limits.conf", ("80%", "800M")),
        ("xiaozhi-instance@llm-1.service.d/limits.conf", ("200%", "2G")),
        ("xiaozhi-instance@tts-1.service.d/limits.conf", ("100%", "512M")),
        ("xiaozhi-broker.service", ("50%", "512M")),
    ],
)
def test_the_limits_are_those_of_the_site(unit: str, limits: tuple[str, str]) -> None:
    text = (UNITS / unit).read_text()
    assert tuple(re.findall(r"^(?:CPUQuota|MemoryMax)=(\S+)", text, re.MULTILINE)) == limits


def test_the_commands_of_the_page_start_every_instance_that_its_yaml_names(installed: Path) -> None:
    page = (ROOT / "docs" / "systemd.md").read_text("utf-8")
    enabled = set(re.findall(r"xiaozhi-instance@(\S+)", re.search(r"systemctl enable (.*)", page)[1]))  # type: ignore[index]
    catalogue = load_catalogue(ROOT / "config" / "embedded.yaml")
    named = {each.name: each.endpoint for one in catalogue.services.values() for each in one.instances}
    assert enabled == set(named)
    for name, endpoint in named.items():
        options = (installed.parents[3] / "etc" / "xiaozhi" / "instances" / f"{name}.env").read_text()
        assert f"SERVICE={name.partition('-')[0]}\n" in options
        assert f"--port {urlsplit(endpoint).port}\n" in options


def test_a_stop_waits_longer_than_a_front_drains() -> None:
    wait_s = re.search(r"^TimeoutStopSec=(\d+)", COMMON.read_text(), re.MULTILINE)
    assert wait_s
    assert int(wait_s[1]) > Settings().drain_s + 5


def test_every_setting_that_the_units_give_is_one_of_ours() -> None:
    files = [UNITS / "dispatcher.env", UNITS / "secrets.conf.example", *UNITS.rglob("*.service"), COMMON]
    lines = "\n".join(file.read_text() for file in files)
    given = set(re.findall(r"(?:^#?|[ =])([A-Z][A-Z_]+)=", lines, re.MULTILINE))
    # TZ is the C library's own.
    known = {"TZ", *(name.upper() for name in Settings.model_fields)}
    assert given - {"PATH", "PYTHONUNBUFFERED", "SERVICE", "OPTIONS"} <= known
