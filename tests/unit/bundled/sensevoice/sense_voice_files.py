"""A tiny SenseVoice export that the real library loads, and folders with something wrong in them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
from pathlib import Path
from typing import Final

import pytest

from tests.support.processes import ROOT

EXPORT: Final = ROOT / "tests" / "support" / "services" / "sense_voice_model"
# A model of another kind, which sherpa-onnx would end the process over.
OTHER: Final = ROOT / "tests" / "support" / "services" / "sherpa_onnx_models" / "whole.onnx"


def needs_library() -> None:
    """Skip without sherpa-onnx; fail in CI."""
    if importlib.util.find_spec("sherpa_onnx") is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("sherpa-onnx is not installed")


def folder_with(folder: Path, *, model: Path | bytes | None = None, tokens: str | None = None) -> Path:
    """Return a copy of the export with another model or other tokens, and their sums."""
    shutil.copytree(EXPORT, folder, dirs_exist_ok=True)
    if model is not None:
        (folder / "model.onnx").write_bytes(model if isinstance(model, bytes) else model.read_bytes())
    if tokens is not None:
        (folder / "tokens.txt").write_text(tokens, "utf-8")
    sums = (f"{sha256_of(folder / name)} *{name}\n" for name in ("model.onnx", "tokens.txt"))
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    return folder


def sha256_of(path: Path) -> str:
    """Return the sum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
