"""What Celery promises of its workers, by a real worker whose messages and tasks are on its own loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from celery import Celery
from celery.events.receiver import EventReceiver
from kombu.utils.uuid import uuid

from dispatcher.messages import RESPOND
from dispatcher.redis_client import keys
from tests.support.broker import Broker
from tests.support.front_side import FrontSide
from tests.support.instances import Instances
from tests.support.processes import Process
from tests.support.stack import worker_command, write_config
from tests.support.waiting import eventually, soon

SLOTS: Final = 3
FAR_S: Final = 60


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A worker of queue `llm`, and Celery's own means to send it tasks and to ask it."""

    broker: Broker
    worker: Process
    app: Celery

    def asks(self, what: str, *arguments: Any) -> Any:
        answers = eventually(
            lambda: getattr(self.app.control.inspect(timeout=2, limit=1), what)(*arguments),
            what=f"the worker answers {what}",
        )
        (answer,) = answers.values()
        return answer

    def sends(self, front: FrontSide, task_id: str = "", **options: Any) -> str:
        payload = front.ticket(text="hello").as_payload()
        task_id = task_id or uuid()
        self.app.send_task(RESPOND, args=[payload], queue="llm", task_id=task_id, argsrepr="()", **options)
        return task_id


@pytest.fixture(scope="module")
def deployment(
    tmp_path_factory: pytest.TempPathFactory, running_instances: Instances
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("contract")
    broker = Broker(folder)
    broker.start()
    environ = {
        "REDIS_URL": broker.url,
        "DISPATCHER_CONFIG": str(write_config(folder / "workers.yaml", running_instances)),
        "DATA_DIR": str(folder / "var"),
    }
    command = worker_command("-Q", "llm", "-c", str(SLOTS))
    worker = Process("worker", command, folder=folder, environ=environ)
    worker.start()
    app = Celery("watcher", broker=broker.url, set_as_current=False)
    made = Deployment(broker=broker, worker=worker, app=app)
    made.asks("ping")
    yield made
    worker.stop()
    broker.kill()


@pytest.fixture
async def front(deployment: Deployment, instances: Instances) -> AsyncIterator[FrontSide]:
    instances.forget_asked()
    async with FrontSide.opened(deployment.broker) as opened:
        yield opened


async def is_idle(front: FrontSide, deployment: Deployment) -> None:
    """Wait until nothing waits, runs or is kept for a worker that could be lost."""

    async def nothing_left() -> bool:
        # In this order: a message on its way is in the queue, or later among the taken ones.
        waiting = await front.redis.execute("LLEN", "llm")
        return not waiting and not await front.redis.execute("KEYS", keys.taken("*"))

    await soon(nothing_left, what="every message has ended")
    assert await asyncio.to_thread(deployment.asks, "active") == []


@contextmanager
def events_of(app: Celery) -> Iterator[list[dict[str, Any]]]:
    """Collect the events that Flower would see."""
    seen: list[dict[str, Any]] = []
    connection = app.connection_for_read()
    receiver = EventReceiver(connection, handlers={"*": seen.append}, app=app)

    def watch() -> None:
        for _ in receiver.consume(limit=None, timeout=None, safety_interval=0.2):
            pass

    thread = threading.Thread(target=watch)
    thread.start()
    app.control.enable_events()
    try:
        eventually(lambda: seen, what="a heartbeat", within_s=20)
        yield seen
    finally:
        app.control.disable_events()
        receiver.should_stop = True
        thread.join()
        connection.release()


async def test_a_watcher_sees_a_task_received_started_and_succeeded_with_its_time(
    deployment: Deployment, front: FrontSide
) -> None:
    with events_of(deployment.app) as seen:
        task_id = deployment.sends(front)

        async def all_seen() -> list[dict[str, Any]]:
            mine = [event for event in seen if event.get("uuid") == task_id]
            return mine if len(mine) == 3 else []

        events = await soon(all_seen, what="three events")
    assert [event["type"] for event in events] == ["task-received", "task-started", "task-succeeded"]
    assert events[0]["name"] == RESPOND
    assert events[2]["runtime"] > 0
    await is_idle(front, deployment)


async def test_what_is_over_the_limit_stays_in_the_queue_and_a_terminated_task_makes_place(
    deployment: Deployment, front: FrontSide, instances: Instances
) -> None:
    for llm in instances.of("llm"):
        llm.fault("slow", 100)
    ids = [deployment.sends(front) for _ in range(2 * SLOTS)]

    async def in_flight(wanted: int) -> bool:
        return sum(llm.in_flight for llm in instances.of("llm")) == wanted

    await soon(lambda: in_flight(SLOTS), what="all places are taken")
    assert await front.redis.execute("LLEN", "llm") == SLOTS
    active = await asyncio.to_thread(deployment.asks, "active")
    assert {task["id"] for task in active} == set(ids[:SLOTS])
    assert {task["args"] for task in active} == {"()"}
    assert await asyncio.to_thread(deployment.asks, "reserved") == []
    found = await asyncio.to_thread(deployment.asks, "query_task", ids[0])
    assert found[ids[0]][0] == "active"
    deployment.app.control.revoke(ids, terminate=True, reply=True, limit=1)
    await soon(lambda: in_flight(0), what="no call is left")
    await is_idle(front, deployment)
    assert len(instances.asked()) == SLOTS  # those that waited were revoked before they began


async def test_a_task_with_a_countdown_is_scheduled_and_done_when_it_is_due(
    deployment: Deployment, front: FrontSide, instances: Instances
) -> None:
    task_id = deployment.sends(front, countdown=1)

    def scheduled() -> bool:
        return task_id in {each["request"]["id"] for each in deployment.asks("scheduled")}

    await asyncio.to_thread(eventually, scheduled, what="it is scheduled")
    assert not instances.asked()

    async def is_asked() -> bool:
        return bool(instances.asked())

    await soon(is_asked, what="it is done")
    await is_idle(front, deployment)


async def test_a_queue_is_added_and_cancelled_by_remote_control(
    deployment: Deployment, front: FrontSide, instances: Instances
) -> None:
    control = deployment.app.control
    control.cancel_consumer("llm", reply=True, limit=1)

    def queues() -> set[str]:
        return {each["name"] for each in deployment.asks("active_queues")}

    await asyncio.to_thread(eventually, lambda: queues() == set(), what="no queue is consumed")
    await front.types()
    assert await front.redis.execute("LLEN", "llm") == 1
    assert not instances.asked()
    control.add_consumer("llm", reply=True, limit=1)
    await asyncio.to_thread(eventually, lambda: queues() == {"llm"}, what="it is consumed again")
    await is_idle(front, deployment)
    assert len(instances.asked()) == 1


async def test_a_worker_that_stops_gives_back_what_it_has_not_begun(
    deployment: Deployment, front: FrontSide
) -> None:
    task_id = deployment.sends(front, countdown=FAR_S)

    def is_taken() -> bool:
        return bool(deployment.asks("query_task", task_id))

    await asyncio.to_thread(eventually, is_taken, what="the worker has it")
    deployment.worker.stop()
    (message,) = await front.redis.execute("LRANGE", "llm", 0, -1)
    assert task_id.encode() in message
    assert not await front.redis.execute("KEYS", keys.taken("*"))
