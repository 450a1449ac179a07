"""What is in a queue and is no task of ours: dropped and counted by a real worker, which goes on.

A list in Redis takes anything: a slip with `redis-cli lpush`, another program, a version of tomorrow.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from pytest_celery import CeleryTestSetup

from dispatcher.messages import RESPOND
from dispatcher.routing.overview import read_overview
from tests.support.front_side import FrontSide
from tests.support.waiting import soon

# More than the worker has places: none of them may keep one.
TIMES = 3
FOREIGN: dict[str, Any] = {}


def message(body: Any = None, *, headers: Any = FOREIGN, properties: Any = FOREIGN, **changed: Any) -> bytes:
    """Return a task as kombu writes it, but for what is wrong with it."""
    told = {
        "lang": "py",
        "task": RESPOND,
        "id": "a-task",
        "root_id": "a-task",
        "argsrepr": "",
        "kwargsrepr": "",
    }
    wrapped = {
        "body": encoded([[], {}, {}]) if body is None else body,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": told if headers is FOREIGN else headers,
        "properties": {
            "correlation_id": "a-task",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "llm"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "a-tag",
        }
        if properties is FOREIGN
        else properties,
        **changed,
    }
    return json.dumps({name: value for name, value in wrapped.items() if value != "left out"}).encode()


def encoded(body: Any) -> str:
    return base64.b64encode(json.dumps(body).encode()).decode()


def headers_with(**changed: Any) -> dict[str, Any]:
    return {"lang": "py", "task": RESPOND, "id": "a-task", "root_id": "a-task", **changed}


def properties_with(**changed: Any) -> dict[str, Any]:
    known = {"correlation_id": "a", "delivery_mode": 2, "body_encoding": "base64", "delivery_tag": "a-tag"}
    return {**known, "delivery_info": {"exchange": "", "routing_key": "llm"}, **changed}


UNREADABLE: tuple[bytes, ...] = (
    b"hello, worker",
    b"",
    b"{",
    b"\xff\xfe\x00",
    b"\x80\x04\x95",
    b"[]",
    b"17",
    b"null",
    b'"a text"',
    b"{}",
    b"[" * 100_000,
    b'{"task": "llm.respond", "args": []}',
    message(properties="left out"),
    message(properties=[]),
    message(properties={}),
    message(properties=properties_with(body_encoding="rot13")),
    message(properties=properties_with(delivery_tag="left out"), headers="left out"),
    message(headers="left out"),
    message(headers=None),
    message(headers=[]),
    message(headers="a text"),
    message(headers={}),
    message(headers={"task": None}),
    message(headers={"task": ["a", "list"]}),
    message(headers={"task": RESPOND}),
    message(headers=headers_with(task="llm.of_tomorrow")),
    message(headers=headers_with(task="os.system")),
    message(headers=headers_with(eta="when pigs fly")),
    message(headers=headers_with(expires="soon")),
    message(headers=headers_with(timelimit="long")),
    message(headers=headers_with(retries="many")),
    message(headers=headers_with(id=17)),
    message(headers=headers_with(id=None)),
    message(body="%%% no base64 %%%"),
    message(body="no base64 \u00e4"),
    message(body=17),
    message(body=base64.b64encode(b"no json").decode()),
    message(body=encoded({"not": "a list"})),
    message(body=encoded([])),
    message(body=encoded([1, 2, 3])),
    message(body=encoded([["an", "argument", "too", "many"], {}, {}])),
    message(body=encoded([[], {"unknown": 1}, {}])),
    message(body=encoded([["no ticket"], {}, {}])),
    message(body=encoded([[{"turn_id": 1}], {}, {"chain": "no list", "callbacks": 17}])),
    message(**{"content-type": "application/x-python-serialize"}),
    message(**{"content-type": "application/of-tomorrow"}),
    message(**{"content-type": None, "content-encoding": None}),
    message(**{"content-encoding": "klingon"}),
    message(body=encoded([["x" * 3_000_000], {}, {}])),
)


async def test_no_message_ends_the_worker_or_keeps_a_place_and_the_next_turn_is_answered(
    celery_setup: CeleryTestSetup, front_side: FrontSide
) -> None:
    await front_side.reads(await front_side.types(), "end")
    process = celery_setup.worker.container.process
    before = process.pid
    for raw in UNREADABLE * TIMES:
        await front_side.redis.execute("LPUSH", "llm", raw)

    async def is_empty() -> bool:
        return not int(await front_side.redis.execute("LLEN", "llm"))

    await soon(is_empty, what="all of it is read")
    for _ in range(3):
        await front_side.reads(await front_side.types(), "end")
    assert process.runs
    assert process.pid == before
    dropped = (await read_overview(front_side.redis)).dropped
    assert sum(dropped.values()) >= 100, (dropped, process.output())
    assert "an argument" not in process.output()
    assert "x" * 100 not in process.output()
