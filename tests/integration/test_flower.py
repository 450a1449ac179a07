"""Flower over real workers: who may see it, what it shows, and when it makes workers tell of their tasks."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, Final, Self

import psutil
import pytest
from celery import Celery
from celery.events import EventReceiver

from dispatcher.messages import DRAIN_RECORDS, QUEUES, RESPOND, SYNTHESIZE, TRANSCRIBE
from tests.support.flower import EventSwitch, Flower
from tests.support.instances import SENTENCES, TRANSCRIPT
from tests.support.processes import Process
from tests.support.stack import Stack, worker_command
from tests.support.waiting import eventually, soon

# Valkey's user `default` has no password, so it takes any: no broker of its own is needed for a secret.
SECRET: Final = "hush-hush"
OURS: Final = {TRANSCRIBE, RESPOND, SYNTHESIZE}


class Listener:
    """Hears all events that workers send, as Flower does.

    Attributes:
        events: everything that was heard, oldest first.
    """

    def __init__(self, url: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._app = Celery("listener", broker=url, set_as_current=False)
        self._receiver: Any = None
        self._thread = threading.Thread(target=self._listen)

    def __enter__(self) -> Self:
        self._thread.start()
        eventually(lambda: self._hosts() == len(QUEUES), what="a sign of life of every worker")
        return self

    def __exit__(self, *_: object) -> None:
        self._receiver.should_stop = True
        self._thread.join()

    def tasks(self) -> list[dict[str, Any]]:
        """Return the events of tasks so far."""
        return [event for event in self.events if event["type"].startswith("task-")]

    def sends(self, task: str, *, queue: str) -> None:
        """Send a task, as by hand."""
        self._app.send_task(task, queue=queue, routing_key=queue)

    def catches_up(self) -> None:
        """Wait for a new sign of life of every worker: what it sent before is known then."""
        known = len(self.events)
        eventually(lambda: self._hosts(known) == len(QUEUES), what="a new sign of life of every worker")

    def _hosts(self, since: int = 0) -> int:
        return len({event["hostname"] for event in self.events[since:]})

    def _listen(self) -> None:
        with self._app.connection() as connection:
            self._receiver = EventReceiver(connection, handlers={"*": self.events.append}, app=self._app)
            for _ in self._receiver.consume(limit=None, timeout=None, safety_interval=0.2):
                pass


@pytest.fixture(scope="module")
def flower(running_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    """Flower over the workers of the whole session, with a secret in its REDIS_URL."""
    environ = {**running_stack.environ, "REDIS_URL": with_secret(running_stack.broker.url)}
    running = Flower(tmp_path_factory.mktemp("flower"), environ=environ)
    running.start()
    yield running
    running.stop()


def with_secret(url: str) -> str:
    return url.replace("redis://", f"redis://default:{SECRET}@")


@pytest.mark.parametrize(
    "path", ["/", "/tasks", "/broker", "/metrics", "/api/workers", "/static/css/flower.css", "/nosuch"]
)
def test_nothing_is_shown_without_the_password(flower: Flower, path: str) -> None:
    refused = (401, "User operator; the password lies in DATA_DIR/flower-password.\n")

    assert flower.ask(path) == refused
    assert flower.ask(path, password="wrong") == refused
    assert flower.ask(path, password=flower.password)[0] != 401


def test_the_password_is_in_a_file_of_its_owner_and_in_no_list_of_processes(flower: Flower) -> None:
    process = psutil.Process(flower.pid)

    assert flower.password_file.stat().st_mode & 0o777 == 0o600
    assert len(flower.password) >= 20
    assert flower.password not in " ".join(process.cmdline())
    assert flower.password not in json.dumps(process.environ())
    assert flower.password not in flower.output()


@pytest.mark.parametrize(
    "path", ["/api/worker/shutdown/llm@x", "/api/task/async-apply/llm.respond", "/api/task/revoke/1"]
)
def test_nothing_can_be_changed(flower: Flower, path: str) -> None:
    assert flower.ask(path, password=flower.password, method="POST")[0] == 403


async def test_workers_tell_of_tasks_only_while_somebody_watches(stack: Stack, flower: Flower) -> None:
    nobody_watches(stack, flower)
    switch = EventSwitch(stack)
    with Listener(stack.broker.url) as listener:
        async with stack.front.device("unwatched") as device:
            await device.types("What time is it?")
        listener.catches_up()
        assert listener.tasks() == []

        flower.get("/tasks")
        switch.is_turned("enabled")
        async with stack.front.device("watched") as device:
            await device.types("What time is it?")
        await soon(lambda: shows(flower, {RESPOND, SYNTHESIZE}), what="the turn's tasks in Flower")

        switch.is_turned("disabled")
        listener.catches_up()
        told = len(listener.tasks())
        assert told > 0
        async with stack.front.device("unwatched") as device:
            await device.types("What time is it?")
        listener.catches_up()
        assert len(listener.tasks()) == told


def test_work_by_the_clock_does_not_fill_the_list_of_tasks(flower: Flower, stack: Stack) -> None:
    switch = EventSwitch(stack)
    flower.get("/tasks")
    switch.is_turned("enabled")
    with Listener(stack.broker.url) as listener:
        listener.sends(DRAIN_RECORDS, queue="control")
        listener.sends(TRANSCRIBE, queue="asr")
        eventually(listener.tasks, what="the event of a stage")
        listener.catches_up()

        told = {event.get("name") for event in listener.tasks() if event["type"] == "task-received"}
    assert told == {TRANSCRIBE}


def nobody_watches(stack: Stack, flower: Flower) -> None:
    """Wait until Flower has forgotten earlier requests, and every worker has heard of it."""
    eventually(lambda: "somebody watches" not in last_word(flower), what="nobody watches")
    all_hear(stack, "disable_events")


def all_hear(stack: Stack, command: str) -> None:
    """Give the workers an order as Flower does, and wait until each has answered."""
    app = Celery("operator", broker=stack.broker.url, set_as_current=False)
    with app.connection() as connection:
        replies = app.control.broadcast(
            command, reply=True, limit=len(QUEUES), timeout=10, connection=connection
        )
    assert len(replies) == len(QUEUES)


def last_word(flower: Flower) -> str:
    return next((line for line in reversed(flower.output().splitlines()) if "task events are" in line), "")


async def shows(flower: Flower, names: set[str]) -> bool:
    return {task["name"] for task in flower.tasks() if task["state"] == "SUCCESS"} >= names


async def test_no_event_tells_what_was_said(stack: Stack, flower: Flower) -> None:
    with Listener(stack.broker.url) as listener:
        flower.get("/tasks")
        all_hear(stack, "enable_events")
        async with stack.front.device("02:00:00:00:00:11") as device:
            await device.says()
        await soon(lambda: shows(flower, OURS), what="all stages in Flower")
        listener.catches_up()
        told = json.dumps(listener.events, ensure_ascii=False)
    ours = [event for event in listener.events if event.get("name") in OURS]
    shown = json.dumps(flower.tasks(), ensure_ascii=False)

    assert {event["name"] for event in ours} == OURS
    assert len({event["args"] for event in ours}) == 1, "the turn's id alone"
    for text in (TRANSCRIPT, *SENTENCES):
        assert text not in told
        assert text not in shown


def test_no_page_and_no_log_shows_the_password_of_redis(stack: Stack, flower: Flower) -> None:
    worker = Process(
        "secretive",
        worker_command("-Q", "control", "-n", "secretive@here"),
        folder=flower.data_dir,
        environ={**stack.environ, "REDIS_URL": with_secret(stack.broker.url)},
    )
    worker.start()
    try:
        eventually(lambda: stack.serves("control", worker), what="the worker is ready")
        eventually(
            lambda: flower.ask("/worker/secretive@here", password=flower.password)[0] == 200, what="it"
        )
        pages = [flower.get(path) for path in ("/", "/broker", "/worker/secretive@here", "/api/workers")]
    finally:
        worker.stop()

    assert "broker_url" in "".join(pages)
    assert not [page for page in (*pages, flower.output(), worker.output()) if SECRET in page]


def test_queues_without_a_worker_are_shown_too(stack: Stack, flower: Flower) -> None:
    stack.workers["llm"].kill()

    page = flower.get("/broker")

    assert [queue for queue in QUEUES if f'<tr id="{queue}">' not in page] == []
