"""A catalogue file per test: what a text loads as, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dispatcher.catalogue import Catalogue, load_catalogue
from dispatcher.errors import ConfigError

ENDPOINT = 'endpoint: "http://localhost:8100"'
# Line 7 is the ASR instance; `more` starts on line 8.
_SMALL_FILE = """load_balancing:
  api_gateway:
    llm_services: {{instances: [{{endpoint: "http://localhost:11434"}}]}}
    tts_services: {{instances: [{{endpoint: "http://localhost:5000"}}]}}
    asr_services:
      instances:
        - {{{instance}}}
{more}"""


def file_with(instance: str = ENDPOINT, more: str = "") -> str:
    """Return a small good file around one ASR instance, with further lines after it."""
    return _SMALL_FILE.format(instance=instance, more=more)


class CatalogueFile:
    """One file on disk that is written anew for each text."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "x.yaml"

    def loads_as(self, text: str, environ: Mapping[str, str] | None = None) -> Catalogue:
        """Return the catalogue of a good text."""
        self.path.write_text(text, encoding="utf-8")
        return load_catalogue(self.path, environ or {})

    def problems(self, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        """Return what is wrong with a text, each line without the file's name."""
        with pytest.raises(ConfigError) as caught:
            self.loads_as(text, environ)
        assert all(line.startswith(f"{self.path}:") and "\n" not in line for line in caught.value.problems)
        return [line.removeprefix(f"{self.path}:") for line in caught.value.problems]
