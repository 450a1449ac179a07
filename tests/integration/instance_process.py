"""Built-in instances as real processes, started by the command that operators use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import openai

from dispatcher.messages import Service
from tests.support.processes import free_port
from tests.support.waiting import WAIT_TIMEOUT_S, eventually

DISPATCHER = Path(sys.executable).with_name("dispatcher")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceProcess:
    """One instance, and the ways to talk to it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> openai.OpenAI:
        """The vendor's own client, pointed at this instance."""
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=WAIT_TIMEOUT_S)

    def health(self) -> dict[str, Any]:
        """Return what /health says; an empty answer while nothing listens."""
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return cast("dict[str, Any]", json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                return cast("dict[str, Any]", json.load(error))
        except OSError:
            return {}

    def wait_until_ready(self) -> None:
        """Wait for the engine."""
        eventually(self._is_ready, what=f"the instance on {self.port} is ready")

    def stop(self) -> int:
        """Ask it to end and return the exit status."""
        self.process.terminate()
        return self.process.wait(WAIT_TIMEOUT_S)

    def said(self) -> str:
        """Return what it wrote to its terminal."""
        return self.log.read_text()

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, self.said()
        return self.health().get("status") == "ok"


@contextmanager
def instance(
    folder: Path, service: Service, *options: str, environ: dict[str, str] | None = None
) -> Iterator[InstanceProcess]:
    """Start an instance on a free port, with its data in the folder; kill what is left of it at the end."""
    port = free_port()
    log = folder / f"{service}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [DISPATCHER, "instance", service, "--port", str(port), *options],
            cwd=folder,
            env={**os.environ, "DATA_DIR": str(folder), **(environ or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield InstanceProcess(process=process, port=port, log=log)
    finally:
        process.kill()
        process.wait()
