"""`dispatcher try` of an instance that lacks its keys: what to write, and nothing of it on stdout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.processes import BIN
from tests.unit.catalogue.files import file_with


def test_try_names_what_to_write_and_keeps_stdout_for_what_came_back(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(file_with().replace("http://localhost:5000", "https://tts-api.xfyun.cn"), "utf-8")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("XFYUN")}
    done = subprocess.run(
        [str(BIN / "dispatcher"), "try", "tts", "tts-1", "--config", str(path)],
        env={**environ, "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert 'not configured: app_id is missing: write `app_id: "5f000000"` in its line' in done.stderr
    assert "write `XFYUN_API_SECRET=…` in the environment" in done.stderr
