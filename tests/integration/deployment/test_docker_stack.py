"""docker-compose.yml as it is, on an engine: from `up` to turns, without an LLM, the check-lists, faults.

`scripts/compose_trial.sh` brings an engine and the images and runs this; elsewhere it is skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from dispatcher.bundled.timed_engines import ANSWER
from tests.integration.deployment.test_compose_file import compose_command
from tests.support.processes import BIN, ROOT, free_port, own_environment
from tests.support.waiting import eventually

# Stand-ins for the images of the registry; each takes the user, command and health check of the real one.
STAND_INS: Final = {
    "NGINX_IMAGE": "xiaozhi-nginx",
    "REDIS_IMAGE": "xiaozhi-redis",
    "MYSQL_IMAGE": "xiaozhi-mariadb",
    "LLM_IMAGE": "xiaozhi-ollama",
}
# What the file gets from the internet has its stand-in inside the instance.
OFFLINE: Final = {"ASR_MODEL": "whisper", "TTS_ENGINE": "voices"}
IMAGES: Final = ("xiaozhi-dispatcher", "xiaozhi-flower", "xiaozhi-instance", *STAND_INS.values())
PROJECT: Final = "xiaozhi-trial"
ONE_SHOT: Final = "llm-model"
CHECK: Final = (
    *("dispatcher", "check", "--phase", "1", "--phase", "2", "--phase", "3", "--json"),
    *("--nginx", "http://nginx:8080", "--nginx-files", "/srv/config/nginx/docker"),
)
# What the timed LLM behind the stand-in for Ollama says, and the built-in assistant never.
OLLAMA_SAYS: Final = ANSWER.partition(".")[0]
TURN_TIMEOUT_S: Final = 90
UP_TIMEOUT_S: Final = 300

pytestmark = pytest.mark.timeout(900)


def docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeStack:
    """A project of its own, reached on loopback alone."""

    command: list[str]
    environ: dict[str, str]
    entry: str

    def run(self, *words: str, check: bool = True) -> str:
        """Run a command of docker-compose and return what it printed."""
        done = subprocess.run(
            [*self.command, *words], cwd=ROOT, env=self.environ, capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def states(self) -> dict[str, dict[str, Any]]:
        """Return what the engine says of each container's state, by its service."""
        found = json.loads(docker("inspect", *self.run("ps", "-q").split()).stdout)
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each["State"] for each in found}

    def are_healthy(self, *services: str) -> bool:
        """Return whether the health checks of these pass; of all that stay where none is named."""
        states = self.states()
        return all(
            states[each]["Health"]["Status"] == "healthy" for each in services or states.keys() - {ONE_SHOT}
        )

    @contextmanager
    def without(self, service: str) -> Iterator[None]:
        """Stop a container until the block ends."""
        self.run("stop", "--timeout", "2", service)
        try:
            yield
        finally:
            self.run("start", service)

    def turn(self, *words: str) -> str:
        """Hold one turn through nginx, fail where no answer is heard, and return what was shown."""
        talk = [str(BIN / "dispatcher"), "talk", "--ota", f"{self.entry}/xiaozhi/ota/", "--out", os.devnull]
        began_s = time.monotonic()
        done = subprocess.run(
            [*talk, *words],
            env=own_environment({}),
            capture_output=True,
            text=True,
            check=False,
            timeout=TURN_TIMEOUT_S,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        print(f"turn {' '.join(words)}: {time.monotonic() - began_s:.1f} s\n{done.stdout}")  # noqa: T201
        return done.stdout


@pytest.fixture(scope="module")
def stack() -> Iterator[ComposeStack]:
    """The stack, up, and open to faults; without an engine, no promise of CI, this skips there too."""
    if shutil.which("docker") is None or docker("info").returncode != 0:
        pytest.skip("no Docker engine runs here")
    missing = [name for name in IMAGES if docker("image", "inspect", name).returncode != 0]
    if missing:
        pytest.skip(f"no local images {', '.join(missing)} (scripts/compose_trial.sh)")
    if docker("network", "ls", "--quiet", "--filter", "name=_edge$").stdout.strip():
        pytest.skip("another stack runs in containers here; their addresses would be the same")
    subprocess.run([ROOT / "config" / "docker" / "make-secrets.sh"], check=True)
    entry, secure = free_port(), free_port()
    ports = {"HTTP_PORT": f"127.0.0.1:{entry}", "HTTPS_PORT": f"127.0.0.1:{secure}"}
    environ = {**os.environ, **ports, **STAND_INS, **OFFLINE, "ALLOW_VERIFY": "true"}
    command = [*compose_command(), "-p", PROJECT]
    made = ComposeStack(command=command, environ=environ, entry=f"http://127.0.0.1:{entry}")
    began_s = time.monotonic()
    try:
        try:
            made.run("up", "-d", "--no-build")
        except AssertionError:
            print(made.run("logs", "--no-color", "--tail", "15", check=False))  # noqa: T201
            raise
        print(f"up returned after {time.monotonic() - began_s:.1f} s")  # noqa: T201
        yield made
    finally:
        made.run("down", "--volumes", "--timeout", "5", check=False)


def test_nginx_serves_and_a_turn_is_answered_while_the_model_is_still_fetched(stack: ComposeStack) -> None:
    print({name: state["StartedAt"][11:19] for name, state in sorted(stack.states().items())})  # noqa: T201
    said = stack.turn()
    assert stack.states()[ONE_SHOT]["Running"], "the model came first"
    assert OLLAMA_SAYS not in said


def test_ollama_answers_once_its_model_is_there(stack: ComposeStack) -> None:
    eventually(lambda: not stack.states()[ONE_SHOT]["Running"], what="the model", within_s=UP_TIMEOUT_S)
    assert stack.states()[ONE_SHOT]["ExitCode"] == 0
    eventually(
        lambda: OLLAMA_SAYS in stack.turn("--text", "Good morning"), what="Ollama's answer", within_s=120
    )


def test_a_turn_is_answered_when_ollama_is_stopped(stack: ComposeStack) -> None:
    with stack.without("llm-local"):
        # nginx starts without the name of what does not run.
        stack.run("restart", "--timeout", "2", "nginx")
        eventually(lambda: stack.are_healthy("nginx"), what="nginx", within_s=UP_TIMEOUT_S)
        assert OLLAMA_SAYS not in stack.turn()
    eventually(lambda: stack.are_healthy("llm-local"), what="Ollama", within_s=UP_TIMEOUT_S)
    eventually(
        lambda: OLLAMA_SAYS in stack.turn("--text", "Good evening"), what="Ollama's answer", within_s=120
    )


def test_a_turn_is_answered_when_the_voice_is_stopped(stack: ComposeStack) -> None:
    with stack.without("tts-local"):
        stack.turn("--text", "What time is it?")
    eventually(lambda: stack.are_healthy("tts-local"), what="the voice", within_s=UP_TIMEOUT_S)


def test_every_container_is_healthy_and_the_check_lists_pass(stack: ComposeStack) -> None:
    eventually(stack.are_healthy, what="all healthy", within_s=UP_TIMEOUT_S)

    def failed() -> list[dict[str, Any]]:
        said = stack.run("exec", "-T", "front-1", *CHECK, check=False)
        rows = [row for rows in json.loads(said)["lists"].values() for row in rows]
        print("\n".join(f"{row['outcome']:15} {row['name']}: {row['saw']}" for row in rows))  # noqa: T201
        return [row for row in rows if row["outcome"] == "fail"]

    # The first weights take two minutes at most. How busy the box is, is nothing of the stack's.
    eventually(
        lambda: not [row for row in failed() if not re.match("figure (cpu|memory)", row["name"])],
        what="every row",
        within_s=240,
    )


def test_the_stack_in_containers_takes_every_fault(stack: ComposeStack, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    said = subprocess.run(
        [BIN / "dispatcher", "verify", "--docker", "--project", PROJECT, "--quick", "--json", str(report)],
        env=own_environment({}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), f"{said.stdout}\n{said.stderr}"
    found = {each["fault"]: each for each in json.loads(report.read_text())["faults"]}
    # How busy the host is, is nothing of the stack's.
    problems = [problem for each in found.values() for problem in each["problems"] if "alert" not in problem]
    assert problems == [], said.stdout
    # The disk of the engine is the host's own.
    assert [name for name, each in found.items() if each["skipped"]] == ["disk"]
    assert sum(each["outcomes"]["silent"] for each in found.values()) == 0
    assert [name for name, state in stack.states().items() if not state["Running"]] == [ONE_SHOT]
