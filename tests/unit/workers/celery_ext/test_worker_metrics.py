"""What a worker says of itself on the port of its metrics."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from dispatcher.event_loop import LoopLag
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.settings import Settings
from tests.support.processes import free_port
from workers.celery_ext.taken import TakenMessages
from workers.celery_ext.worker_metrics import WorkerCollector, serve_metrics


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    """The loop of a worker."""

    async def close() -> None:
        """Nothing was opened."""

    running = LoopThread()
    yield running
    running.stop(close())


def two_taken() -> TakenMessages:
    taken = TakenMessages()
    taken.begin(["llm"])
    taken.add("llm", b"one")
    taken.add("llm", b"other")
    return taken


def registry_of(taken: TakenMessages) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkerCollector(taken, lambda: 16, LoopLag(), deque([0.0015, 0.3])))
    return registry


def test_tasks_are_counted_from_the_moment_they_are_taken() -> None:
    registry = registry_of(two_taken())
    assert registry.get_sample_value("xiaozhi_worker_tasks_taken_total") == 2
    assert registry.get_sample_value("xiaozhi_worker_tasks_in_hand") == 2
    assert registry.get_sample_value("xiaozhi_worker_slots") == 16


def test_each_pick_is_counted_once_however_often_it_is_scraped() -> None:
    registry = registry_of(two_taken())
    for _ in range(2):
        assert registry.get_sample_value("xiaozhi_worker_pick_seconds_bucket", {"le": "0.002"}) == 1
        assert registry.get_sample_value("xiaozhi_worker_pick_seconds_count") == 2


def test_a_pool_of_celerys_own_shows_no_tasks_rather_than_none_taken() -> None:
    registry = registry_of(TakenMessages())
    assert registry.get_sample_value("xiaozhi_worker_tasks_taken_total") is None
    assert registry.get_sample_value("xiaozhi_worker_slots") == 16


def test_the_metrics_are_served_beside_the_loop(loop: LoopThread) -> None:
    settings = Settings(metrics_port=free_port())
    serve_metrics(settings, loop, two_taken(), lambda: 16, deque())
    with urlopen(f"http://127.0.0.1:{settings.metrics_port}/metrics", timeout=5) as response:
        text = response.read().decode()
    assert "xiaozhi_worker_tasks_taken_total 2.0" in text
    assert "xiaozhi_worker_loop_lag_seconds" in text
    assert "process_open_fds" in text


def test_a_taken_port_is_one_error_and_no_end(loop: LoopThread) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, capture_logs() as logged:
        settings = Settings(metrics_port=other.getsockname()[1])
        serve_metrics(settings, loop, two_taken(), lambda: 16, deque())
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("metrics are not served", "error")
    assert (line["METRICS_HOST"], line["METRICS_PORT"]) == ("127.0.0.1", settings.metrics_port)
    assert "in use" in line["reason"]
