"""Fixtures of the catalogue's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.catalogue.files import CatalogueFile


@pytest.fixture
def catalogue_file(tmp_path: Path) -> CatalogueFile:
    return CatalogueFile(tmp_path)
