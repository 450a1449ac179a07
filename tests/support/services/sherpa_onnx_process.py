"""The real servers of sherpa-onnx, from the package `sherpa-onnx-bin`, with models of a kilobyte."""

from __future__ import annotations

import os
import shutil
import sysconfig
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.support.processes import BIN, Process, free_port
from tests.support.waiting import eventually

Kind = Literal["online", "offline"]
MODELS: Final = Path(__file__).parent / "sherpa_onnx_models"
MODEL_OF: Final[dict[Kind, Path]] = {"online": MODELS / "streaming.onnx", "offline": MODELS / "whole.onnx"}
# Where `sherpa-onnx-core` keeps the runtime that the programs are linked with.
LIBRARIES: Final = Path(sysconfig.get_path("purelib")) / "sherpa_onnx" / "lib"


class SherpaProcess(Process):
    """One server on a port of its own."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        """Choose a port; without the package the test is skipped, and fails in CI."""
        program = shutil.which(f"sherpa-onnx-{kind}-websocket-server", path=str(BIN))
        if program is None:
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up("sherpa-onnx-bin is not installed")
        assert program is not None
        self.port = free_port()
        command = [program, f"--port={self.port}", f"--tokens={MODELS / 'tokens.txt'}"]
        command += [f"--nemo-ctc-model={MODEL_OF[kind]}", f"--log-file={folder / 'own-log.txt'}"]
        super().__init__(
            f"sherpa-{kind}", command, folder=folder, environ={"LD_LIBRARY_PATH": str(LIBRARIES)}
        )

    def wait_until_ready(self) -> None:
        """Return when it listens."""
        eventually(self._listens, what=f"{self.name} listens")

    def _listens(self) -> bool:
        assert self.runs, f"{self.name} ended: {self.output()}"
        return "Listening on" in self.output()
