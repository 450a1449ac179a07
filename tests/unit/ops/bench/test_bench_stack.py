"""The private stack of a bench."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from dispatcher.catalogue import load_catalogue
from dispatcher.errors import StartError
from dispatcher.messages import SERVICES
from dispatcher.ops.bench.bench_stack import StackPlan, plan_stack, running_stack
from dispatcher.ops.bench.device_bench import with_endpointing
from dispatcher.ops.bench.process_usage import UsageMeter
from dispatcher.supervisor.broker_server import find_server
from tests.support.smart_turn import MODEL


def require_broker() -> None:
    """Skip where no broker can be started; a CI machine has to have one."""
    try:
        find_server(os.environ.get("PATH", ""))
    except StartError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def broker_only(plan: StackPlan) -> StackPlan:
    return replace(plan, lines=plan.lines[:1])


def test_the_generated_file_is_a_valid_catalogue_of_two_instances_a_service(tmp_path: Path) -> None:
    plan = plan_stack(tmp_path, None)

    catalogue = load_catalogue(plan.config)
    for service in SERVICES:
        assert len(catalogue.services[service].instances) == 2
        assert catalogue.services[service].slots == 512


def test_devices_in_auto_mode_find_the_strategy_and_its_model_in_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMART_TURN_MODEL", str(MODEL))
    plan = plan_stack(tmp_path, None)
    assert with_endpointing(plan, None) == plan

    smart = with_endpointing(plan, "smart_turn")
    assert load_catalogue(smart.config).conversation.endpointing.strategy == "smart_turn"
    assert smart.environment["DISPATCHER_CONFIG"] == str(smart.config)
    assert smart.environment["SMART_TURN_MODEL"] == str(MODEL)
    assert load_catalogue(plan.config).conversation.endpointing.strategy == "silence"


def test_every_part_of_a_deployment_runs(tmp_path: Path) -> None:
    plan = plan_stack(tmp_path, None)

    commands = [line.command for line in plan.lines]
    assert commands[0] == "dispatcher broker"
    assert sum("--engine timed" in command for command in commands) == 6
    assert [command.split()[-1] for command in commands if "workers worker" in command] == [
        "asr",
        "llm",
        "tts",
        "control",
    ]
    assert commands[-2:] == ["celery -A workers beat", "dispatcher front"]


def test_a_file_of_the_operators_starts_no_instances(tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"

    plan = plan_stack(tmp_path, own)

    assert plan.config == own
    assert not any("instance" in line.command for line in plan.lines)


def test_settings_of_the_real_deployment_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CACHE_URL", "redis://production:6379/0")
    monkeypatch.setenv("TASK_EVENTS", "true")
    monkeypatch.setenv("SOME_API_KEY", "kept")

    environment = plan_stack(tmp_path, None).environment

    assert not {"CACHE_URL", "TASK_EVENTS"} & set(environment)
    assert environment["SOME_API_KEY"] == "kept"
    assert environment["FRONT_HOST"] == "127.0.0.1"


async def test_what_a_stack_started_is_gone_after_it(tmp_path: Path) -> None:
    require_broker()
    ready: list[str] = []

    async with running_stack(broker_only(plan_stack(tmp_path, None)), ready.append) as stack:
        (pid,) = stack.pids().values()
        assert psutil.pid_exists(pid)
        assert stack.roles() == {"broker": "broker"}

    assert ready == ["broker"]
    assert not psutil.pid_exists(pid)


async def test_what_a_stack_started_is_gone_after_a_failure(tmp_path: Path) -> None:
    require_broker()
    pids: list[int] = []

    async def measure_badly() -> None:
        async with running_stack(broker_only(plan_stack(tmp_path, None)), lambda _: None) as stack:
            pids.extend(stack.pids().values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await measure_badly()
    assert [psutil.pid_exists(pid) for pid in pids] == [False]


async def test_a_part_that_cannot_start_says_why_in_its_own_words(tmp_path: Path) -> None:
    plan = broker_only(plan_stack(tmp_path, None))
    elsewhere = {**plan.environment, "REDIS_URL": "redis://192.0.2.1:6379/0"}

    with pytest.raises(StartError, match=r"(?s)broker exited with code 1.*not this machine"):
        async with running_stack(replace(plan, environment=elsewhere), lambda _: None):
            pass


def test_a_process_that_is_gone_spoils_the_run() -> None:
    child = psutil.Popen(["sleep", "60"])
    meter = UsageMeter({"front": child.pid})
    child.kill()
    child.wait()

    with pytest.raises(StartError, match="front ended"):
        meter.read()


def test_usage_counts_from_the_beginning_of_the_run() -> None:
    before = psutil.Process().cpu_times()
    reading = UsageMeter({"me": os.getpid()}).read()

    usage = reading.usages["me"]
    assert 0 <= usage.cpu_s < before.user + before.system
    assert reading.machine_cpu_s >= 0
    if psutil.LINUX:
        assert usage.pss_mb is not None
        assert usage.pss_mb > 1


def test_a_second_worker_of_the_tts_queue_has_a_name_of_its_own(tmp_path: Path) -> None:
    specs = plan_stack(tmp_path, None, tts_workers=2).specs()

    names = [spec.name for spec in specs if spec.queues == ("tts",)]
    assert names == ["tts", "tts-2"]
