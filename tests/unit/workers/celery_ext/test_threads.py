"""Threads of a worker: as many as tasks run at once, few again after an overload."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.support.waiting import eventually
from workers.celery_ext.threads import ElasticThreads

IDLE_S = 0.3


@pytest.fixture
def threads() -> Iterator[ElasticThreads]:
    made = ElasticThreads(limit=40, idle_timeout_s=IDLE_S)
    yield made
    made.shutdown()


def overload(threads: ElasticThreads, tasks: int) -> None:
    """Have so many tasks at work at once, then end them."""
    door = threading.Event()
    futures = [threads.submit(door.wait) for _ in range(tasks)]
    door.set()
    assert all(future.result(10) for future in futures)


def test_the_threads_of_an_overload_end_when_they_were_idle_for_a_while(threads: ElasticThreads) -> None:
    overload(threads, 40)
    assert threads.count == 40
    eventually(lambda: threads.count == 0, what="all threads ended", within_s=10)
    assert threads.submit(lambda: 7).result(10) == 7


def test_they_end_too_while_one_task_comes_after_the_other(threads: ElasticThreads) -> None:
    overload(threads, 40)

    def is_small() -> bool:
        assert threads.submit(lambda: 1).result(10) == 1
        return threads.count == 1

    eventually(is_small, what="one thread is left", within_s=10)


def test_more_tasks_than_threads_wait_and_all_are_done(threads: ElasticThreads) -> None:
    overload(threads, 200)
    assert threads.count == 40


def test_a_limit_that_grows_lets_more_run_and_one_that_shrinks_fewer_once_they_are_done() -> None:
    threads = ElasticThreads(limit=1)
    door, running = threading.Event(), threading.Semaphore(0)

    def task() -> bool:
        running.release()
        return door.wait(10)

    futures = [threads.submit(task) for _ in range(6)]
    assert running.acquire(timeout=10)
    assert not running.acquire(blocking=False)
    threads.resize(4)
    assert all(running.acquire(timeout=10) for _ in range(3))
    threads.resize(1)
    assert not running.acquire(blocking=False)
    door.set()
    assert all(future.result(10) for future in futures)
    door.clear()
    last = [threads.submit(task) for _ in range(2)]
    assert all(running.acquire(timeout=10) for _ in range(3))
    assert not running.acquire(blocking=False)
    door.set()
    assert all(future.result(10) for future in last)
    threads.shutdown()


def test_an_error_of_a_task_is_raised_where_its_result_is_asked_for(threads: ElasticThreads) -> None:
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(10)
    assert threads.submit(lambda: 2).result(10) == 2


def test_many_who_submit_at_once_lose_nothing() -> None:
    threads = ElasticThreads(limit=8, idle_timeout_s=0.001)
    futures: list[Future[int]] = []

    def submit_many() -> None:
        futures.extend(threads.submit(lambda n=number: n) for number in range(500))

    submitters = [threading.Thread(target=submit_many) for _ in range(4)]
    for each in submitters:
        each.start()
    for each in submitters:
        each.join()
    assert sorted(future.result(10) for future in futures) == sorted(list(range(500)) * 4)
    threads.shutdown()


def test_a_shutdown_ends_what_runs_and_cancels_what_waits() -> None:
    threads = ElasticThreads(limit=1)
    door, began = threading.Event(), threading.Event()

    def task() -> bool:
        began.set()
        return door.wait(10)

    running, waiting = threads.submit(task), threads.submit(lambda: 1)
    assert began.wait(10)
    threading.Timer(0.05, door.set).start()
    threads.shutdown()
    assert running.result(10) is True
    assert waiting.cancelled()
    assert threads.count == 0
    with pytest.raises(RuntimeError, match="stops"):
        threads.submit(lambda: 1)
