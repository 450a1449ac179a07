"""`dispatcher up` for real: it starts, keeps and stops processes, and leaves none behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dispatcher.data_dir import embedded_redis_url
from dispatcher.supervisor.flower_environment import what_is_missing
from tests.integration.up_run import UpRun, none_is_left
from tests.support.waiting import eventually

BROKER_AND_SLEEPER = """
broker: exec dispatcher broker
sleeper: exec sleep 1000
"""
ALL_ROLES = """
broker: PART=broker exec dispatcher broker
front: PART=front exec {bin}/dispatcher front
asr: PART=asr exec {bin}/celery -A workers worker
beat: PART=beat exec {bin}/celery -A workers beat
asr-1: PART=asr-1 exec {bin}/dispatcher instance asr --port {asr_port}
"""
WITH_FLOWER = f"{BROKER_AND_SLEEPER}flower: PART=flower exec {{bin}}/dispatcher flower\n"
needs_flower = pytest.mark.skipif(
    what_is_missing() is not None and not os.environ.get("CI"), reason="Flower's environment is missing"
)

Runner = Callable[..., UpRun]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Runner]:
    """Return a starter of `dispatcher up`; what it started is gone after the test."""
    runs: list[UpRun] = []

    def start(procfile: str, *, folder: Path = tmp_path, **environ: str) -> UpRun:
        runs.append(UpRun(folder, procfile, environ))
        return runs[-1]

    yield start
    for run in runs:
        run.clean_up()


def test_all_parts_become_ready_and_the_addresses_are_shown(up: Runner) -> None:
    run = up(ALL_ROLES)
    run.is_up()
    assert f"Talk page           http://localhost:{run.front_port}/" in run.lines
    assert f":{run.front_port}/xiaozhi/ota/" in run.output
    for name in ("broker", "front", "asr", "beat", "asr-1"):
        assert f"{name} is ready" in run.output


@needs_flower
def test_flower_starts_last_and_its_address_is_shown(up: Runner) -> None:
    run = up(WITH_FLOWER)
    run.is_up()
    shown = (
        f"http://localhost:{run.flower_port}/  (user operator, password in {run.data_dir}/flower-password)"
    )
    assert f"Flower              {shown}" in run.lines
    assert run.output.index("sleeper is ready") < run.output.index("flower is ready")


@needs_flower
def test_a_taken_port_of_flower_keeps_nothing_else_from_starting(up: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        run = up(WITH_FLOWER, FLOWER_PORT=str(port))
        run.is_up()
    reason = f"something else listens at 127.0.0.1:{port}; set FLOWER_PORT"
    assert f"flower is not started: {reason}" in run.lines
    assert run.pid_of("sleeper") is not None


def test_sigterm_stops_the_front_first_and_the_broker_last_and_leaves_nothing(up: Runner) -> None:
    run = up(ALL_ROLES)
    run.is_up()
    children = run.children()
    run.send_signal(signal.SIGTERM)
    assert run.ends() == 0
    assert run.stops == ["front", "asr", "beat", "asr-1"]
    assert run.lines[-1] == "stopped"
    assert none_is_left(children)
    assert not (run.data_dir / "up.json").exists()


def test_a_killed_part_comes_back(up: Runner) -> None:
    run = up(BROKER_AND_SLEEPER)
    run.is_up()
    killed = run.pid_of("sleeper")
    run.kill("sleeper")
    run.says("sleeper exited with code -9 (killed); started again at once")
    run.says("sleeper is back after")
    assert run.pid_of("sleeper") not in {None, killed}


def test_a_worker_that_stands_still_is_killed_and_another_takes_its_place(up: Runner) -> None:
    run = up("broker: exec dispatcher broker\nllm: exec celery -A workers worker -Q llm\n")
    run.is_up()
    stopped = run.pid_of("llm")
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    run.says("llm has stood still for 3 s; killed")
    run.says("llm exited with code -9 (killed); started again at once")
    run.says("llm is back after")
    assert run.pid_of("llm") not in {None, stopped}


def test_a_killed_broker_comes_back(up: Runner) -> None:
    run = up(BROKER_AND_SLEEPER)
    run.is_up()
    run.kill("broker")
    run.says("broker is back after")


def test_a_part_that_cannot_start_is_given_up_and_the_rest_goes_on(up: Runner) -> None:
    run = up(f"{BROKER_AND_SLEEPER}bad: exec python -c 'import nosuch'\nmissing: exec nosuch\n")
    run.says("bad exited with code 1 at each of 5 starts; given up")
    run.says("ModuleNotFoundError: No module named 'nosuch'")
    run.says("missing cannot be started: No such file or directory: nosuch")
    run.is_up()
    assert run.pid_of("sleeper") is not None
    assert "No module named" in (run.data_dir / "log" / "bad.log").read_text()


def test_warnings_of_a_part_reach_the_console_and_the_rest_only_its_log(up: Runner) -> None:
    program = (
        "import time; print('welcome'); time.sleep(3); print('INFO: all is well'); "
        "print('WARNING: too warm'); time.sleep(99)"
    )
    run = up(f'{BROKER_AND_SLEEPER}chatty: exec python -c "{program}"\n')
    run.says("chatty   WARNING: too warm")
    log = run.data_dir / "log" / "chatty.log"
    eventually(lambda: "all is well" in log.read_text(), what="the line in the log")
    assert "all is well" not in run.output
    run.kill("chatty")  # what its next run says first is no rest of the warning
    run.says("chatty is back after")
    eventually(lambda: log.read_text().count("welcome") == 2, what="the line of the next run in the log")
    assert "welcome" not in run.output


def test_a_taken_port_is_one_line_and_nothing_is_started(up: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        run = up(ALL_ROLES, FRONT_PORT=str(port))
        assert run.ends() == 1
    (line,) = run.lines
    assert line.startswith(f"port {port} (front) is taken by pid {os.getpid()} (")
    assert not (run.data_dir / "log").exists()


def test_a_second_one_on_the_same_data_folder_says_so_in_one_line(up: Runner) -> None:
    first = up(BROKER_AND_SLEEPER)
    first.is_up()
    second = up(BROKER_AND_SLEEPER)
    assert second.ends() == 1
    (line,) = second.lines
    assert "already runs on" in line
    assert f"(pid {first.pid})" in line


def test_a_given_redis_is_used_instead_of_the_broker(up: Runner, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    first = up(BROKER_AND_SLEEPER, folder=tmp_path / "first")
    first.is_up()
    second = up(BROKER_AND_SLEEPER, REDIS_URL=embedded_redis_url(first.broker_port, first.data_dir))
    second.is_up()
    assert f"using the Redis at 127.0.0.1:{first.broker_port} (REDIS_URL)" in second.lines
    assert "broker is not started: REDIS_URL is set" in second.lines


def test_a_given_redis_that_wants_a_password_is_one_line_that_says_so(up: Runner, tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    first = up(BROKER_AND_SLEEPER, folder=tmp_path / "first")
    first.is_up()
    second = up(BROKER_AND_SLEEPER, REDIS_URL=f"redis://127.0.0.1:{first.broker_port}/0")
    assert second.ends() == 1
    assert second.lines == [f"REDIS_URL: the Redis at 127.0.0.1:{first.broker_port} wants another password"]


def test_a_given_redis_that_does_not_answer_is_one_line_without_its_password(up: Runner) -> None:
    run = up(BROKER_AND_SLEEPER, REDIS_URL="redis://:secret@127.0.0.1:9/0")
    assert run.ends() == 1
    assert run.lines == ["REDIS_URL: no Redis answers at 127.0.0.1:9; start it, or unset REDIS_URL"]


def test_a_part_that_will_not_stop_is_killed_after_its_grace(up: Runner) -> None:
    run = up(f"{BROKER_AND_SLEEPER}stubborn: trap '' TERM; while true; do sleep 1; done\n")
    run.is_up()
    children = run.children()
    run.send_signal(signal.SIGTERM)
    assert run.ends() == 0
    assert "stubborn did not stop in 3 s; killed" in run.lines
    assert none_is_left(children)


def test_a_second_signal_kills_at_once(up: Runner) -> None:
    run = up(
        f"{BROKER_AND_SLEEPER}stubborn: trap '' TERM; while true; do sleep 1; done\n",
        DRAIN_S="600",
    )
    run.is_up()
    children = run.children()
    run.send_signal(signal.SIGINT)
    run.says("stopping")
    run.send_signal(signal.SIGINT)
    assert run.ends() == 0
    assert none_is_left(children)


def test_a_stop_in_the_middle_of_the_start_leaves_nothing(up: Runner) -> None:
    run = up(ALL_ROLES)
    run.says("broker is ready")
    children = run.children()
    run.send_signal(signal.SIGTERM)
    assert run.ends() == 0
    assert none_is_left(children)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_kill_9_of_the_supervisor_leaves_nothing(up: Runner) -> None:
    run = up(ALL_ROLES)
    run.is_up()
    children = run.children()
    run.send_signal(signal.SIGKILL)
    eventually(lambda: none_is_left(children), what="the end of all children")
    assert len(children) >= 5
