"""Where Flower lies: its own environment, and the program of ours that runs in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = ROOT / ".venv-flower" / "bin" / "python"
# Written last: an environment without it is not complete.
STAMP: Final = ROOT / ".venv-flower" / "flower.stamp"
LAUNCHER: Final = ROOT / "config" / "flower" / "launcher.py"
USER: Final = "operator"
PASSWORD_FILE: Final = "flower-password"  # noqa: S105  the name of a file


def what_is_missing() -> str | None:
    """Return why Flower cannot run here, in words for the operator; None when it can."""
    if not LAUNCHER.is_file():
        return f"{LAUNCHER} is missing; Flower runs from a checkout of the project"
    if not (STAMP.is_file() and os.access(PYTHON, os.X_OK)):
        return "its environment is missing; scripts/environment.sh flower makes it"
    return None
