"""The console's metrics in a real Prometheus: each query of rules and panels finds series."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from celery import Celery
from redis import Redis

from dispatcher.messages import CANARY, CONTROL_QUEUE, JUDGE_KPIS, QUEUES
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing.call_usage import SEPARATOR
from dispatcher.telemetry.usage_counters import move_to_stream
from tests.support.broker import give_up
from tests.support.console import ConsoleProcess
from tests.support.processes import BIN, ROOT, Process, free_port, own_environment
from tests.support.stack import Stack
from tests.support.waiting import eventually

CONFIG: Final = ROOT / "config/prometheus"
DASHBOARDS: Final = ROOT / "config/grafana/provisioning/dashboards"
SCRAPE_INTERVAL: Final = "500ms"
# A condition that does not hold has no series; both sides of it have.
COMPARISON: Final = re.compile(r" (?:==|>|<) ")


def program(name: str) -> str:
    """Return a program of Debian's package; without it the test is skipped, in CI it fails."""
    return shutil.which(name) or give_up(f"no {name} is installed (apt-get install prometheus)")


class Prometheus(Process):
    """A Prometheus with the committed rules that scrapes one console often."""

    def __init__(self, console: ConsoleProcess, folder: Path) -> None:
        """Write its configuration: that of a deployment with other targets."""
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        config = yaml.safe_load((CONFIG / "prometheus.yml").read_text(encoding="utf-8"))
        (job,) = [each for each in config["scrape_configs"] if each["job_name"] == "xiaozhi"]
        job["static_configs"][0]["targets"] = [f"127.0.0.1:{console.port}"]
        config["scrape_configs"] = [job]
        intervals = ("scrape_interval", "scrape_timeout", "evaluation_interval")
        config["global"] = dict.fromkeys(intervals, SCRAPE_INTERVAL)
        config["rule_files"] = [str(CONFIG / each) for each in config["rule_files"]]
        path = folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        options = (f"--config.file={path}", f"--storage.tsdb.path={folder / 'tsdb'}")
        command = [program("prometheus"), *options, f"--web.listen-address=127.0.0.1:{port}"]
        super().__init__("prometheus", command, folder=folder)

    def series(self, query: str) -> list[dict[str, Any]]:
        """Return what a query finds now, nothing while there is no answer."""
        assert self.runs, self.output()
        try:
            with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': query})}", timeout=5) as response:
                return list(json.loads(response.read())["data"]["result"])
        except OSError:
            return []


@pytest.fixture(scope="module")
def console(running_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleProcess]:
    """A console that saw a turn, canaries and an evaluation of the KPIs."""
    running_stack.heal()
    running = ConsoleProcess(running_stack.environ, tmp_path_factory.mktemp("console"))
    running.start()
    asyncio.run(_take_turn(running_stack))
    with Redis.from_url(running_stack.broker.url) as client:
        # As the call of an instance that has a price.
        client.hset(keys.USAGE, SEPARATOR.join(("2026-12-01", "llm", "llm-1", "measured", "", "cost")), 0.25)
    app = Celery("ticks", broker=running_stack.broker.url, set_as_current=False)
    app.send_task(JUDGE_KPIS, queue=CONTROL_QUEUE)
    for queue in QUEUES:
        app.send_task(CANARY, args=(queue, 60.0, time.time()), queue=queue)
    app.close()
    answered = 'xiaozhi_turns_total{outcome="answered"} 1.0'
    eventually(lambda: answered in running.get("/metrics"), what="the turn is counted")
    eventually(lambda: "xiaozhi_kpi_state{" in running.get("/metrics"), what="the KPIs are shown")
    eventually(lambda: _is_usage_counted(running_stack, running), what="usage is counted")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def prometheus(console: ConsoleProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has scraped the console twice and evaluated its rules since."""
    running = Prometheus(console, tmp_path_factory.mktemp("prometheus"))
    running.start()
    recorded = "count(xiaozhi:turn_errors:ratio_5m) and on () count_over_time(up[1m]) > 2"
    eventually(lambda: running.series(recorded), what="rules are evaluated")
    yield running
    running.stop()


def _is_usage_counted(stack: Stack, console: ConsoleProcess) -> bool:
    """Move usage into the records, as the drain does every second, and return whether it was counted."""
    asyncio.run(_move_usage(stack))
    text, names = console.get("/metrics"), ("llm_tokens", "tts_characters", "speech_seconds", "usage_cost")
    return all(f"xiaozhi_{name}_total{{" in text for name in names)


async def _move_usage(stack: Stack) -> None:
    redis = RedisClient(connect(stack.broker.url))
    await move_to_stream(redis)
    await redis.close()


async def _take_turn(stack: Stack) -> None:
    async with stack.front.device("measured") as device:
        await device.says()


def rule_queries() -> dict[str, str]:
    """Return the expression of each rule."""
    groups = yaml.safe_load((CONFIG / "rules.yml").read_text(encoding="utf-8"))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return {rule.get("alert") or rule["record"]: rule["expr"] for rule in rules}


def panel_queries() -> dict[str, str]:
    """Return each query of each panel."""
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS.glob("*.json")]
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for board in boards
        for panel in board["panels"]
        for target in panel.get("targets", ())
    }


def test_promtool_accepts_configuration_and_rules() -> None:
    for kind, name in (("config", "prometheus.yml"), ("rules", "rules.yml")):
        checked = subprocess.run(
            [program("promtool"), "check", kind, str(CONFIG / name)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_promtool_finds_nothing_to_say_of_the_metrics(console: ConsoleProcess) -> None:
    checked = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=console.get("/metrics"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_no_label_names_a_device_or_a_turn(console: ConsoleProcess) -> None:
    assert "measured" not in console.get("/metrics")


def test_each_rule_and_each_panel_finds_series(prometheus: Prometheus) -> None:
    sides = {
        f"{name}: {side}": side.strip()
        for name, query in {**rule_queries(), **panel_queries()}.items()
        for side in COMPARISON.split(query)
    }
    assert len(sides) > 60
    missing: list[str] = []

    def finds_all() -> bool:
        # A scrape that a busy machine cuts short leaves a gap until the next one.
        missing[:] = [name for name, query in sides.items() if not prometheus.series(query)]
        return not missing

    try:
        eventually(finds_all, what="every query finds series")
    except AssertionError:
        assert missing == []


def test_the_metrics_have_what_the_status_shows(running_stack: Stack, prometheus: Prometheus) -> None:
    shown = subprocess.run(
        [str(BIN / "dispatcher"), "status", "--json"],
        env=own_environment(running_stack.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    status = json.loads(shown.stdout)
    calls = {
        each["metric"]["instance"]: float(each["value"][1])
        for each in prometheus.series("xiaozhi_instance_calls_total")
    }
    states = {
        each["metric"]["instance"]: each["metric"]["state"]
        for each in prometheus.series("xiaozhi_instance_state == 1")
    }
    for service in status["services"]:
        for instance in service["instances"]:
            assert calls[instance["name"]] == instance["calls"]
            assert states[instance["name"]] == instance["state"]


def test_a_worker_shows_its_tasks_and_its_process(running_stack: Stack, console: ConsoleProcess) -> None:
    assert console.runs  # a turn was taken
    text = worker_metrics(running_stack)
    values = dict(re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE))
    assert float(values["xiaozhi_worker_slots"]) >= 1
    assert float(values["xiaozhi_worker_tasks_taken_total"]) >= 1
    assert float(values["xiaozhi_worker_loop_lag_seconds"]) >= 0
    assert 0 < float(values["xiaozhi_worker_pick_seconds_sum"]) < 60
    assert float(values["process_cpu_seconds_total"]) > 0
    eventually(
        lambda: "xiaozhi_worker_tasks_in_hand 0.0" in worker_metrics(running_stack), what="all tasks are over"
    )


def worker_metrics(stack: Stack) -> str:
    """Return what the worker of the LLM queue serves on its own port."""
    with urlopen(f"http://127.0.0.1:{stack.metrics_port}/metrics", timeout=5) as response:
        return str(response.read().decode())


def test_the_docs_name_each_metric_that_is_served_and_no_other(
    running_stack: Stack, console: ConsoleProcess
) -> None:
    served = console.get("/metrics") + worker_metrics(running_stack)
    names = set(re.findall(r"^# TYPE (xiaozhi_\S+)", served, re.MULTILINE))
    named = re.findall(r"`(xiaozhi_\w+)`", (ROOT / "docs/metrics.md").read_text(encoding="utf-8"))
    # A front has a port of its own for them (tests/unit/front/test_front_metrics.py).
    assert {name for name in named if not name.startswith("xiaozhi_front_")} == names
