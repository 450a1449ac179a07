"""Folders as scopes: what the tests of a folder share starts once, in one process, and ends with them."""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.support.processes import ROOT


class Folder(pytest.Package):
    """Node whose fixtures of scope "package" end with its last test; no `__init__.py` is needed."""

    def setup(self) -> None:
        """Import nothing: there is no module of the folder."""


class FolderScheduling(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives each process whole modules, or whole folders where these share what takes long to start."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)


def unit_of(nodeid: str) -> str:
    """Return what goes to one process with a test: its folder if that is shared, else its module or class."""
    folder = str(PurePosixPath(nodeid.partition("::")[0]).parent)
    return folder if is_shared(folder) else nodeid.rsplit("::", 1)[0]


@cache
def is_shared(folder: str) -> bool:
    """Return whether the tests of a folder share fixtures of scope "package"."""
    conftest = ROOT / folder / "conftest.py"
    return conftest.exists() and 'scope="package"' in conftest.read_text("utf-8")
