"""A whole system whose YAML the tests rewrite, and that goes back to its first one after each."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from click.testing import CliRunner
from redis import Redis

from dispatcher.cli.reload import reload
from dispatcher.messages import Service
from dispatcher.redis_client import keys
from tests.support.instances import Instances
from tests.support.processes import BIN, ROOT, Process, own_environment
from tests.support.stack import Stack, worker_command
from tests.support.waiting import eventually

Services: TypeAlias = dict[Service, dict[str, Any]]


class Operator:
    """Who edits the file of a running system."""

    def __init__(self, stack: Stack) -> None:
        """Remember the file as it is."""
        self.stack = stack
        self.file = Path(stack.environ["DISPATCHER_CONFIG"])
        self.first_text = self.file.read_text("utf-8")

    def text(self, change: Callable[[Services], object]) -> str:
        """Return the first file with a change of its services."""
        content = yaml.safe_load(self.first_text)
        # A reply that is slow on purpose is not late.
        content["conversation"]["stage_timeout_s"] = 10
        gateway = content["load_balancing"]["api_gateway"]
        change({service: gateway[f"{service}_services"] for service in ("asr", "llm", "tts")})
        return yaml.safe_dump(content, allow_unicode=True)

    def saves(self, text: str) -> None:
        """Write the file."""
        self.file.write_text(text, "utf-8")

    def reloads(self, *, config: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run `dispatcher reload`, with the file of the system or another one."""
        return subprocess.run(
            [str(BIN / "dispatcher"), "reload", "--config", str(config or self.file)],
            cwd=ROOT,
            env=own_environment(self.stack.environ),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    async def reloads_at_once(self, config: Path) -> str:
        """Do what `dispatcher reload` does, without the start of a process; return its words."""
        runner = CliRunner(env=self.stack.environ)
        done = await asyncio.to_thread(runner.invoke, reload, ["--config", str(config)])
        return done.output

    def revision(self) -> int:
        """Return the revision in force."""
        with Redis.from_url(self.stack.broker.url) as client:
            return int(client.hget(keys.CATALOGUE, "revision") or 0)

    def names(self, service: Service) -> list[str]:
        """Return the instances that may get a call."""
        with Redis.from_url(self.stack.broker.url) as client:
            found = client.hget(keys.fleet(service), "names")
        assert isinstance(found, bytes)
        return found.decode().split(",")

    def is_known(self, service: Service, name: str) -> bool:
        """Whether anything is kept of an instance."""
        with Redis.from_url(self.stack.broker.url) as client:
            return bool(client.exists(keys.instance(service, name)))

    def worker_with_the_first_file(self, queue: Service) -> Process:
        """Return a worker, not started yet, on a host where the file was never changed."""
        copy = self.stack.folder / "other-host.yaml"
        copy.write_text(self.first_text, "utf-8")
        os.utime(copy, (time.time() - 3600,) * 2)
        return Process(
            f"other-{queue}",
            worker_command("-Q", queue, "-n", "other@%h"),
            folder=self.stack.folder,
            environ={**self.stack.environ, "DISPATCHER_CONFIG": str(copy)},
        )


@pytest.fixture(scope="package")
def reloaded_stack(tmp_path_factory: pytest.TempPathFactory, running_instances: Instances) -> Iterator[Stack]:
    """A system of its own: what is active here is nobody else's."""
    stack = Stack(tmp_path_factory.mktemp("reload"), running_instances)
    with stack.running():
        yield stack


@pytest.fixture
def operator(reloaded_stack: Stack) -> Iterator[Operator]:
    """The operator of a system that is well; afterwards the first file is in force again."""
    reloaded_stack.heal()
    operator = Operator(reloaded_stack)
    yield operator
    for process in reloaded_stack.processes:
        print(f"--- {process.name}\n{process.output()[-4000:]}")  # noqa: T201
    operator.saves(operator.first_text)
    eventually(lambda: operator.reloads().returncode == 0, what="the first file is in force again")
