"""The pool against Celery's own requests and tracer: a task on the loop is a task like any other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery, current_task, signals
from celery.app.trace import build_tracer, setup_worker_optimizations
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded
from celery.worker import state
from kombu.transport import virtual
from kombu.utils.uuid import uuid

from dispatcher.catalogue.model import Catalogue
from dispatcher.errors import TurnCancelled
from dispatcher.pipeline.loop_thread import LoopThread
from dispatcher.routing.router import Router
from tests.support.waiting import eventually
from tests.unit.memory_redis import MemoryRedis
from workers.celery_ext import pools
from workers.celery_ext.pools import ResizablePool
from workers.celery_ext.requests import QuietRequest, QuietTask

LIMIT = 2


class Channel:
    """Notes what became of each message."""

    no_ack_consumers = None
    decode_body = virtual.Channel.decode_body

    def __init__(self) -> None:
        self.ended: list[tuple[Any, str]] = []

    def basic_ack(self, delivery_tag: Any, *, multiple: bool = False) -> None:
        assert not multiple
        self.ended.append((delivery_tag, "done"))

    def basic_reject(self, delivery_tag: Any, *, requeue: bool = False) -> None:
        self.ended.append((delivery_tag, "again" if requeue else "rejected"))


class Worker:
    """An application, its pool on a loop, and requests as a consumer makes them."""

    def __init__(self, loop: LoopThread) -> None:
        self.loop = loop
        self.app = Celery("test", broker="memory://", task_cls=QuietTask, set_as_current=False)
        self.app.conf.task_acks_late = True
        self.pool = ResizablePool(LIMIT, app=self.app)
        self.channel = Channel()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.enabled = True
        self.router = Router(MemoryRedis().redis(), Catalogue(path="", services={}))

    def send(self, kind: str, **fields: Any) -> None:
        """Stand where events are sent."""
        self.events.append((kind, fields))

    def task(self, work: Callable[..., Any], *, on_loop: bool = True) -> Any:
        made = self.app.task(work, name=work.__name__, is_on_loop=on_loop, shared=False)
        setup_worker_optimizations(self.app, "here")
        made.__trace__ = build_tracer(made.name, made, self.app.loader, "here", app=self.app)
        return made

    def run(self, task: Any, *arguments: Any, **headers: Any) -> QuietRequest:
        sent = self.app.amqp.as_task_v2(uuid(), task.name, args=arguments)
        raw = {
            "body": "",
            "headers": {**sent.headers, **headers},
            "properties": {"delivery_tag": sent.headers["id"], "delivery_info": {}},
        }
        message = virtual.Message(raw, channel=self.channel)
        body = [list(arguments), {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
        made = QuietRequest(
            message,
            on_ack=message.ack_log_error,
            on_reject=message.reject_log_error,
            app=self.app,
            task=task,
            eventer=self,
            hostname="here",
            body=body,
            decoded=True,
        )
        state.task_reserved(made)
        made.execute_using_pool(self.pool)
        return made

    def ends(self, count: int = 1) -> list[str]:
        eventually(lambda: len(self.channel.ended) >= count, what="all messages have ended")
        return [how for _, how in self.channel.ended]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    loop = LoopThread()
    made = Worker(loop)
    context = SimpleNamespace(loop=loop, redis=None, router=made.router)
    monkeypatch.setattr(pools, "process_context", lambda: context)
    made.pool.on_start()
    yield made
    made.pool.on_stop()
    loop.stop(asyncio.sleep(0))
    state.reset_state()


@pytest.fixture
def seen() -> Iterator[list[Any]]:
    """What signals tell of tasks."""
    seen: list[Any] = []

    def prerun(task_id: str, **_: Any) -> None:
        seen.append(("prerun", task_id))

    def postrun(retval: Any, **_: Any) -> None:
        seen.append(("postrun", retval))

    signals.task_prerun.connect(prerun)
    signals.task_postrun.connect(postrun)
    yield seen
    signals.task_prerun.disconnect(prerun)
    signals.task_postrun.disconnect(postrun)


def test_a_task_on_the_loop_is_seen_by_signals_events_and_current_task_and_shows_its_time(
    worker: Worker, seen: list[Any]
) -> None:
    async def wait() -> str:
        seen.append(threading.current_thread().name)
        await asyncio.sleep(0.05)
        return "a result"

    def work() -> str:
        seen.append(current_task.request.id)
        return worker.loop.run(wait(), timeout_s=5)

    request = worker.run(worker.task(work))
    assert worker.ends() == ["done"]
    assert seen == [("prerun", request.id), request.id, "loop", ("postrun", "a result")]
    assert [kind for kind, _ in worker.events] == ["task-started", "task-succeeded"]
    assert worker.events[1][1]["runtime"] >= 0.05


def test_tasks_on_the_loop_wait_at_once_without_threads_and_never_more_than_the_limit(worker: Worker) -> None:
    door, running = asyncio.Event(), list[int]()

    async def wait(number: int) -> None:
        running.append(number)
        await door.wait()

    def work(number: int) -> None:
        worker.loop.run(wait(number), timeout_s=5)

    threads = threading.active_count()
    task = worker.task(work)
    for number in range(6):
        worker.run(task, number)
    eventually(lambda: len(running) == LIMIT, what="as many as may run")
    assert threading.active_count() == threads
    assert worker.pool.info["running"] == LIMIT
    worker.pool.grow(2)
    eventually(lambda: len(running) == LIMIT + 2, what="two more run")
    worker.pool.shrink(10)
    assert worker.pool.num_processes == 1
    worker.loop.call_on_loop(door.set)
    assert worker.ends(6) == ["done"] * 6
    assert running == list(range(6))


def test_a_task_that_is_not_on_the_loop_has_a_thread(worker: Worker) -> None:
    names: list[str] = []

    def work() -> None:
        names.append(threading.current_thread().name)

    worker.run(worker.task(work, on_loop=False))
    assert worker.ends() == ["done"]
    assert names[0].startswith("task")


@pytest.mark.parametrize(
    ("error", "how", "events"),
    [
        (Ignore(), "done", ["task-started"]),
        (Reject("not now", requeue=True), "again", ["task-started", "task-rejected"]),
        (ValueError("a fault"), "done", ["task-started", "task-failed"]),
    ],
)
def test_what_a_task_raises_means_what_it_means_to_celery(
    worker: Worker, error: Exception, how: str, events: list[str]
) -> None:
    async def fail() -> None:
        raise error

    def work() -> None:
        worker.loop.run(fail(), timeout_s=5)

    worker.run(worker.task(work))
    assert worker.ends() == [how]
    eventually(lambda: len(worker.events) == len(events), what="all events")
    assert [kind for kind, _ in worker.events] == events


def test_a_soft_time_limit_interrupts_what_the_task_waits_for(worker: Worker) -> None:
    caught: list[str] = []

    def work() -> None:
        try:
            worker.loop.run(asyncio.sleep(60), timeout_s=60)
        except SoftTimeLimitExceeded:
            caught.append("interrupted")

    worker.run(worker.task(work), timelimit=(None, 0.05))
    assert worker.ends() == ["done"]
    assert caught == ["interrupted"]


def test_a_hard_time_limit_ends_the_task_as_failed(worker: Worker) -> None:
    def work() -> None:
        worker.loop.run(asyncio.sleep(60), timeout_s=60)

    worker.run(worker.task(work), timelimit=(0.05, None))
    assert worker.ends() == ["done"]
    assert [kind for kind, _ in worker.events] == ["task-started", "task-failed"]


def test_a_revoke_that_terminates_ends_the_task_and_frees_its_place(worker: Worker) -> None:
    began, ended = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        try:
            worker.loop.run(asyncio.sleep(60), timeout_s=60)
        except TurnCancelled:
            ended.set()

    request = worker.run(worker.task(work))
    assert began.wait(10)
    request.terminate(worker.pool)
    assert ended.wait(10)
    eventually(lambda: not worker.pool.info["running"], what="its place is free")
    assert worker.ends() == ["done"]
    assert [kind for kind, _ in worker.events] == ["task-started", "task-revoked"]


def test_a_barge_in_of_one_wait_lets_the_task_go_on_to_the_next(worker: Worker) -> None:
    order: list[str] = []

    async def cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.Event().wait()

    async def say(word: str) -> None:
        await asyncio.sleep(0)
        order.append(word)

    def work() -> None:
        with pytest.raises(TurnCancelled):
            worker.loop.run(cancelled(), timeout_s=5)
        worker.loop.run(say("and on"), timeout_s=5)

    worker.run(worker.task(work))
    assert worker.ends() == ["done"]
    assert order == ["and on"]


def test_a_stop_waits_for_what_runs(worker: Worker) -> None:
    began = threading.Event()

    def work() -> None:
        began.set()
        worker.loop.run(asyncio.sleep(0.05), timeout_s=5)

    worker.run(worker.task(work))
    assert began.wait(10)
    worker.pool.on_stop()
    assert worker.channel.ended[0][1] == "done"
