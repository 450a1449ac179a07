"""Methods of Celery and kombu that `workers/celery_ext` overrides or relies on, as they were when written.

One that an upgrade changes fails here: compare it with the class that docs/celery-internals.md names beside
it, adapt that class where needed, and put the new digest into the table.
"""

from __future__ import annotations

import hashlib
import inspect
from functools import reduce
from importlib import import_module
from typing import Final

import pytest

from tests.architecture.tree import ROOT

PAGE: Final = (ROOT / "docs" / "celery-internals.md").read_text("utf-8")

# Celery 5.7.0, kombu 5.7.0: the first characters of the SHA-256 of the source.
DIGESTS: Final = {
    "celery.app.amqp:AMQP.TaskConsumer": "b3be71d95494",
    "celery.app.control:Control.broadcast": "2f173e5e42a2",
    "celery.app.control:Control.pool_grow": "21b891b60e49",
    "celery.app.control:Control.pool_shrink": "6fe88d3faffc",
    "celery.app.control:Inspect.active_queues": "f78a571bcdd5",
    "celery.app.control:Inspect.stats": "c1648fa9e004",
    "celery.app.task:Task.start_strategy": "17343c4f8109",
    "celery.app.trace:fast_trace_task": "52c76aab90e1",
    "celery.beat:Scheduler.apply_async": "49c1e4dc6228",
    "celery.beat:Scheduler.tick": "cee54aab628f",
    "celery.concurrency.base:BasePool._get_info": "bc60446d2fc9",
    "celery.concurrency.base:BasePool.apply_async": "4db4ca91db58",
    "celery.concurrency.base:apply_target": "587f70580295",
    "celery.schedules:schedule.is_due": "a488843bc1b8",
    "celery.worker.consumer.tasks:Tasks.start": "e0165bf1d620",
    "celery.worker.consumer:Consumer.add_task_queue": "7df62325255c",
    "celery.worker.consumer:Consumer.call_soon": "914e951f150b",
    "celery.worker.consumer:Consumer.call_soon_ack": "39f8579d0762",
    "celery.worker.consumer:Consumer.cancel_task_queue": "3c696341b7bb",
    "celery.worker.consumer:Consumer.create_task_handler": "292c5a681f10",
    "celery.worker.consumer:Consumer.ensure_connected": "3f79cf3bb6d6",
    "celery.worker.consumer:Consumer.on_decode_error": "e3538c586a7f",
    "celery.worker.consumer:Consumer.on_invalid_task": "9893e7a4eee3",
    "celery.worker.consumer:Consumer.on_unknown_message": "213bd3ee55cb",
    "celery.worker.consumer:Consumer.on_unknown_task": "35e6cbe56494",
    "celery.worker.control:pool_grow": "68d54192e2ed",
    "celery.worker.control:pool_shrink": "984ccdef63d2",
    "celery.worker.loops:asynloop": "05a53e519988",
    "celery.worker.request:Request.info": "3c2e986f6780",
    "celery.worker.request:Request.on_accepted": "7bd097a863da",
    "celery.worker.request:Request.on_failure": "21736ec661cd",
    "celery.worker.request:Request.on_success": "8d11e320facd",
    "celery.worker.request:Request.on_timeout": "3d26ce896008",
    "celery.worker.request:Request.send_event": "75ec861e3f35",
    "celery.worker.request:Request.terminate": "5ee69325b498",
    "celery.worker.request:create_request_cls": "871f30fe1cfe",
    "celery.worker.strategy:default": "7d90575ada5e",
    "celery.worker.worker:WorkController.setup_instance": "7a05929c3721",
    "kombu.messaging:Consumer._basic_consume": "4c92bb712014",
    "kombu.messaging:Consumer.cancel": "08c1c9630a11",
    "kombu.messaging:Consumer.cancel_by_queue": "8dadbe75f75f",
    "kombu.messaging:Consumer.qos": "426ea7ba63fb",
    "kombu.transport.redis:Channel.__init__": "f189bdebe243",
    "kombu.transport.redis:Channel._brpop_read": "c42518699709",
    "kombu.transport.redis:Channel.basic_consume": "34e0da85e689",
    "kombu.transport.redis:Channel.conn_or_acquire": "25883caca6c4",
    "kombu.transport.virtual:Channel.decode_body": "6e7a0c347dd9",
    "kombu.transport.virtual:Message.__init__": "c90d08ccfa2e",
    "kombu.transport.virtual:Transport._deliver": "799e242f3ec5",
}


@pytest.mark.parametrize(("place", "digest"), DIGESTS.items())
def test_what_we_override_is_as_it_was(place: str, digest: str) -> None:
    module, _, path = place.partition(":")
    found = reduce(getattr, path.split("."), import_module(module))
    source = inspect.getsource(found)
    assert hashlib.sha256(source.encode()).hexdigest()[:12] == digest
    assert path in PAGE
