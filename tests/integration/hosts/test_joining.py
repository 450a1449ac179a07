"""A further host joins with nothing but the address of the Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from dispatcher.redis_client import keys
from tests.integration.hosts.networked_system import (
    ALL_STAGES,
    START_S,
    await_worker,
    known_device,
    run_dispatcher,
)
from tests.support.broker import Broker
from tests.support.instances import SENTENCES
from tests.support.processes import BIN, Process
from tests.support.stack import Front, Stack, worker_command
from tests.support.waiting import eventually


class ElsewhereProcess(Process):
    """A process whose folder has no YAML in it, as on a host where only the package is installed."""

    def __init__(self, name: str, command: list[str], *, folder: Path, environ: dict[str, str]) -> None:
        """Start from an empty folder; nothing is started yet."""
        away = folder / f"home-of-{name}"
        away.mkdir()
        in_folder = ["env", "-C", str(away), *command]
        super().__init__(name, in_folder, folder=folder, environ={"DATA_DIR": str(away / "var"), **environ})


@pytest.fixture
def elsewhere() -> Iterator[list[Process]]:
    """Processes that a test starts beside the whole system; they are gone afterwards."""
    started: list[Process] = []
    yield started
    for process in started:
        print(f"--- {process.name}\n{process.output()}")  # noqa: T201
        process.stop()


async def test_a_worker_without_any_yaml_takes_the_catalogue_from_redis_and_serves(
    stack: Stack, elsewhere: list[Process], tmp_path: Path
) -> None:
    worker = ElsewhereProcess(
        "far-worker",
        worker_command("-Q", ALL_STAGES, "-n", "far@%h"),
        folder=tmp_path,
        environ={"REDIS_URL": stack.broker.url},
    )
    elsewhere.append(worker)
    revision = _revision(stack)
    worker.start()
    await_worker(worker, stack.broker.url)
    for near in ("asr", "llm", "tts"):
        stack.workers[near].stop()
    async with stack.front.device("served-from-afar") as device:
        assert (await device.says()).sentences == SENTENCES
    assert _revision(stack) == revision


async def test_a_front_without_any_yaml_takes_catalogue_and_token_key_from_the_others(
    stack: Stack, elsewhere: list[Process], tmp_path: Path
) -> None:
    far = Front("far-front", folder=tmp_path, environ={"REDIS_URL": stack.broker.url})
    home = tmp_path / "home-of-far-front"
    home.mkdir()
    far.command = ["env", "-C", str(home), *far.command]
    far.environ["DATA_DIR"] = str(home / "var")
    elsewhere.append(far)
    far.start()
    eventually(far.ready, what="the far front is ready", within_s=START_S)
    # A proxy stands between, so that the token counts; it was given by the other front.
    behind_proxy = {"X-Forwarded-For": "192.0.2.7"}
    async with known_device(stack.front.url, far.socket_url, "roaming", **behind_proxy) as device:
        assert (await device.says()).sentences == SENTENCES


def test_a_file_that_was_named_and_is_missing_is_an_error_and_not_a_wish_to_follow(
    stack: Stack, tmp_path: Path
) -> None:
    said = run_dispatcher(
        "front", environ={"REDIS_URL": stack.broker.url, "DISPATCHER_CONFIG": str(tmp_path / "typo.yaml")}
    )
    assert said.returncode == 2
    assert "typo.yaml" in said.stderr


def test_a_host_that_finds_no_catalogue_says_what_to_do(
    fresh_broker: Broker, elsewhere: list[Process], tmp_path: Path
) -> None:
    front = ElsewhereProcess(
        "lonely-front",
        [str(BIN / "dispatcher"), "front"],
        folder=tmp_path,
        environ={"REDIS_URL": fresh_broker.url},
    )
    elsewhere.append(front)
    front.start()
    eventually(lambda: "waiting for a catalogue" in front.output(), what="it says what it waits for")
    assert "dispatcher reload --config FILE" in front.output()


def _revision(stack: Stack) -> int:
    with Redis.from_url(stack.broker.url) as client:
        return int(client.hget(keys.CATALOGUE, "revision") or 0)
