"""What a task in a worker tells others of itself."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from kombu.utils.uuid import uuid

from workers.celery_ext.requests import QuietRequest, QuietTask

SAID = "my secret"


class Events:
    """Stands where a worker sends its events."""

    enabled = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.sent.append((kind, fields))


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def request_of_a_task(events: Events) -> QuietRequest:
    app = Celery("test", broker="memory://", set_as_current=False, task_cls=QuietTask)

    def say(text: str) -> str:
        return text

    task = app.task(say, name="say", shared=False)
    channel = app.connection().channel()
    channel.queue_declare("quiet")
    sent = app.amqp.as_task_v2(uuid(), "say", args=(SAID,), argsrepr="('turn-1',)", kwargsrepr="{}")
    message = channel.prepare_message(
        '[["my secret"], {}, {}]', content_type="application/json", content_encoding="utf-8"
    )
    channel._put("quiet", {**message, "headers": sent.headers, "properties": {"delivery_tag": "1"}})
    return QuietRequest(
        channel.basic_get("quiet"), app=app, task=task, eventer=events, hostname="here", on_ack=print
    )


@pytest.mark.parametrize("safe", [True, False])
def test_inspection_shows_the_description_of_the_arguments(
    request_of_a_task: QuietRequest, *, safe: bool
) -> None:
    shown = request_of_a_task.info(safe=safe)

    assert shown["args"] == "('turn-1',)"
    assert SAID not in str(shown)


def test_the_event_of_a_success_has_no_result(request_of_a_task: QuietRequest, events: Events) -> None:
    request_of_a_task.send_event("task-succeeded", result=SAID, runtime=1.5)

    ((kind, fields),) = events.sent
    assert (kind, fields["runtime"]) == ("task-succeeded", 1.5)
    assert SAID not in str(fields)


def test_the_event_of_a_failure_tells_its_kind(request_of_a_task: QuietRequest, events: Events) -> None:
    request_of_a_task.send_event("task-failed", exception=f"ValueError('{SAID}')", traceback=SAID)

    ((_, fields),) = events.sent
    assert fields["exception"] == "ValueError"
    assert SAID not in str(fields)
