"""scripts/environment.sh with an interpreter that only notes what it is asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import ROOT, own_environment

SCRIPT = ROOT / "scripts" / "environment.sh"
# Like a real one it makes a folder whose scripts name the interpreter by its whole path.
PYTHON = """#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
*"-r .venv/run.txt")
    [ "$NO_BUILD" != all ] ;;
*"-r .venv/sensevoice.txt")
    [ "$NO_BUILD" != sherpa-onnx ] ;;
"-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin"
    cp "$0" "$folder/bin/python"
    echo "#!$(pwd -P)/$folder/bin/python3" > "$folder/bin/pip" ;;
esac
"""
Make = Callable[[Path], int]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with pins and the script."""
    folder = tmp_path / "project"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, folder / "scripts")
    for name in ("requirements.txt", "requirements-flower.txt", "constraints.txt", "pyproject.toml"):
        (folder / name).write_text("uv==1\n")
    return folder


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Run the script in a folder; return how often .venv has been made in all."""
    python, notes = tmp_path / "python", tmp_path / "notes"
    python.write_text(PYTHON)
    python.chmod(0o755)

    def run(folder: Path) -> int:
        environ = {**os.environ, "PYTHON": str(python), "NOTES": str(notes)}
        script = folder / "scripts" / "environment.sh"
        subprocess.run([script, "run"], check=True, env=environ, capture_output=True, timeout=60)
        return notes.read_text().splitlines().count("-m venv --clear .venv")

    return run


def test_an_environment_that_is_there_is_kept_when_pins_change(project: Path, make: Make) -> None:
    assert make(project) == 1
    assert make(project) == 1
    (project / "requirements.txt").write_text("uv==2\n")
    assert make(project) == 1


def test_a_folder_that_was_copied_gets_an_environment_of_its_own(
    project: Path, make: Make, tmp_path: Path
) -> None:
    make(project)
    copied = shutil.copytree(project, tmp_path / "opt")
    assert make(copied) == 2
    assert str(copied) in (copied / ".venv" / "bin" / "pip").read_text()
    assert make(copied) == 2


@dataclass(frozen=True, slots=True, kw_only=True)
class NotingScript:
    """The script with pins of SenseVoice among others."""

    project: Path
    environ: dict[str, str]

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Make what `make run` needs with these variables."""
        return subprocess.run(
            [self.project / "scripts" / "environment.sh", "run"],
            check=False,
            env={**self.environ, **variables},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def count_of(self, pins: str) -> int:
        """Return how often a file of pins was installed, or tried to be."""
        lines = Path(self.environ["NOTES"]).read_text().splitlines()
        return sum(line.endswith(f"-r .venv/{pins}") for line in lines)


@pytest.fixture
def script(project: Path, tmp_path: Path) -> NotingScript:
    """The script in a project with a package that is left out."""
    (project / "requirements.txt").write_text(
        "uv==1 \\\n  --hash=sha256:1\nsherpa-onnx==2 \\\n  --hash=sha256:2\nsherpa-onnx-core==2\nrich==3\n"
    )
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return NotingScript(
        project=project,
        environ={
            **own_environment({}),
            "PYTHON": str(python),
            "NOTES": str(tmp_path / "notes"),
            "NO_BUILD": "",
        },
    )


def test_sensevoice_is_installed_once_and_only_where_asr_model_asks_for_it(script: NotingScript) -> None:
    for model in ("", "whisper", "whisper, paraformer"):
        script.run(ASR_MODEL=model).check_returncode()
    assert (script.project / ".venv" / "run.txt").read_text() == "uv==1 \\\n  --hash=sha256:1\nrich==3\n"
    assert (script.count_of("run.txt"), script.count_of("sensevoice.txt")) == (1, 0)
    for model in ("sensevoice", "Whisper, SenseVoice", "/srv/sense"):
        script.run(ASR_MODEL=model).check_returncode()
    wanted = (script.project / ".venv" / "sensevoice.txt").read_text()
    assert wanted == "sherpa-onnx==2 \\\n  --hash=sha256:2\nsherpa-onnx-core==2\n"
    assert (script.count_of("run.txt"), script.count_of("sensevoice.txt")) == (1, 1)


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
def test_the_sdk_of_traces_is_installed_once_and_only_where_a_collector_is_named(
    script: NotingScript, variable: str
) -> None:
    script.run(**{variable: ""}).check_returncode()
    assert script.count_of("otel.txt") == 0
    for _ in range(2):
        script.run(**{variable: "http://127.0.0.1:4318"}).check_returncode()
    assert script.count_of("otel.txt") == 1


def test_sensevoice_is_not_installed_where_no_built_in_instance_runs(script: NotingScript) -> None:
    script.run(ASR_MODEL="sensevoice", MODELS="none").check_returncode()
    assert script.count_of("sensevoice.txt") == 0


def test_without_a_build_of_sherpa_onnx_whisper_serves_where_it_is_named_too(script: NotingScript) -> None:
    alone = script.run(ASR_MODEL="sensevoice", NO_BUILD="sherpa-onnx")
    assert (alone.returncode, "ASR_MODEL=whisper" in alone.stderr) == (1, True)
    assert script.run(ASR_MODEL="sensevoice, whisper", NO_BUILD="sherpa-onnx").returncode == 0


def test_where_a_package_has_no_build_the_models_are_left_out_and_that_is_said_at_each_start(
    project: Path, tmp_path: Path
) -> None:
    (project / "requirements.txt").write_text(
        "uv==1 \\\n  --hash=sha256:1\nctranslate2==4 \\\n  --hash=sha256:2\nrich==3\n"
    )
    python, notes = tmp_path / "python", tmp_path / "notes"
    python.write_text(PYTHON)
    python.chmod(0o755)
    environ = {**os.environ, "PYTHON": str(python), "NOTES": str(notes), "NO_BUILD": "all"}
    said = [
        subprocess.run(
            [project / "scripts" / "environment.sh", "run"],
            check=True,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for _ in range(2)
    ]

    assert all("The built-in models are left out" in each for each in said)
    assert (project / ".venv" / "lean.txt").read_text() == "uv==1 \\\n  --hash=sha256:1\nrich==3\n"
    assert sum(line.endswith("-r .venv/run.txt") for line in notes.read_text().splitlines()) == 1
