"""A file with a mistake lies there when a process starts: a restart costs nothing that the save did not."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.reload.conftest import Operator
from tests.support.processes import BIN, ROOT, Process, free_port, own_environment
from tests.support.stack import worker_command
from tests.support.waiting import eventually

BROKEN = "load_balancing: {api_gateway: soon}"


def test_a_worker_that_is_started_again_goes_on_with_the_active_catalogue(operator: Operator) -> None:
    stack = operator.stack
    operator.saves(BROKEN)
    worker = Process(
        "late-llm",
        worker_command("-Q", "llm", "-n", "late@%h"),
        folder=stack.folder,
        environ=stack.environ,
    )
    worker.start()
    try:
        eventually(lambda: "late@" in worker.output() and " ready." in worker.output(), what="it serves")
        said = worker.output()
    finally:
        worker.stop()
    assert said.count("catalogue refused, the active one is used") == 1
    assert "api_gateway: was 'soon'; expected a mapping" in said


def test_a_worker_with_nothing_to_go_by_says_so_in_lines(operator: Operator, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(BROKEN)
    environ = {
        "DISPATCHER_CONFIG": str(path),
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0",
        "DATA_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [str(BIN / "celery"), "-A", "workers", "worker", "-Q", "llm"],
        cwd=ROOT,
        env=own_environment({**operator.stack.environ, **environ}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"{path}:1: load_balancing.api_gateway: was 'soon'; expected a mapping\n"
