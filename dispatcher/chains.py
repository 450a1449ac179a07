"""Chains of stages, and the Celery messages that start them.

The front sends one Celery chain by name, `asr.transcribe | llm.respond`; the LLM task adds a
`tts.synthesize` for each sentence while it streams. The messages are Celery's protocol 2, built
here and pushed straight to the broker's list: that costs 0.1 ms where `apply_async` costs 0.7, and
the front need not import Celery (source: Celery, "Message protocol", version 2). A message whose answer
was lost is pushed again by the line; the mark of its task keeps it from being in the queue twice.
"""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from dispatcher.dialogue.language import detect_language
from dispatcher.messages import PREFILL, RESPOND, SYNTHESIZE, TRANSCRIBE, Keep, Language, Reply, TurnTicket
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.lua_script import Script
from dispatcher.turn_store import utterance_audio

PUSH: Final = Script.load("dispatcher.redis_client", "clock", "push", repeatable=True)
# Longer than anybody tries to send the same message (dispatcher/redis_client/client.py).
SENT_TTL_S: Final = 15
_NO_HEADERS: Final[Mapping[str, Any]] = {}
_QUEUE_OF: Final = {TRANSCRIBE: "asr", RESPOND: "llm", SYNTHESIZE: "tts", PREFILL: "llm"}


async def start_turn(redis: RedisClient, ticket: TurnTicket) -> int:
    """Send the chain of a turn: from the audio, or from the LLM when the text is known.

    Returns:
        Length of the first stage's queue, this task included.

    Raises:
        StateError: the broker is out of reach.
    """
    if ticket.text:
        return await _push(redis, RESPOND, [ticket.as_payload()], ticket)
    following = _signature(RESPOND, ticket)
    return await _push(redis, TRANSCRIBE, [ticket.as_payload()], ticket, chain=[following])


async def start_recorded(redis: RedisClient, cache: RedisClient, ticket: TurnTicket, packed: bytes) -> int:
    """Store the packed packets of an utterance, and send the chain of its turn as `start_turn` does.

    Raises:
        StateError: the broker or the cache is out of reach.
    """
    stored = utterance_audio.put(cache, ticket.turn_id, packed)
    if cache is not redis:
        await stored
    try:
        return await start_turn(redis, ticket)  # in one batch with the audio, and after it
    finally:
        await stored


async def follow(redis: RedisClient, chain: Sequence[Any], ticket: TurnTicket, *, parent_id: str) -> bool:
    """Send the LLM stage that a chain has after its ASR stage, with the transcript; return whether it was.

    Celery would publish it over kombu's connection: 1.4 ms of CPU in the worker, where this takes 0.1.
    What else a chain may hold is left to Celery.

    Raises:
        StateError: the broker is out of reach.
    """
    match chain:
        case [{"task": task, "options": {"task_id": str(task_id)}}] if task == RESPOND:
            await _push(redis, RESPOND, [ticket.as_payload()], ticket, task_id=task_id, parent_id=parent_id)
            return True
        case _:
            return False


async def prefill(redis: RedisClient, ticket: TurnTicket) -> int:
    """Have an LLM read the beginning of the next prompt; return the queue's length.

    Raises:
        StateError: the broker is out of reach.
    """
    return await _push(redis, PREFILL, [ticket.as_payload()], ticket)


async def synthesize(
    redis: RedisClient,
    ticket: TurnTicket,
    *,
    index: int,
    text: str,
    keep: Keep = "",
    due_at_s: float | None = None,
) -> int:
    """Send one sentence of a reply to the TTS queue, perhaps to be kept; return the queue's length.

    `due_at_s` is the Unix time at which the device has nothing more to play; None where it waits for it now.
    """
    ticket = ticket.with_text(ticket.text, spoken_language(ticket, text))
    # A worker of an older version takes every sentence but those that are to be kept, and any header.
    arguments = [ticket.as_payload(), index, text, *([keep] if keep else [])]
    due = {} if due_at_s is None else {"due_at_s": round(due_at_s, 3)}
    return await _push(redis, SYNTHESIZE, arguments, ticket, more_headers=due)


def spoken_language(ticket: TurnTicket, text: str) -> Language:
    """Return the language that a sentence is spoken in: where the turn's is open, that it is written in."""
    return detect_language(text) if ticket.language == "auto" else ticket.language


def sent_at_s(message: bytes) -> float | None:
    """Return the Unix time at which a message of a stage was sent; None where it does not say."""
    try:
        return float(json.loads(message)["headers"]["sent_at_s"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def stage_reply(
    message: bytes, kind: Literal["lost", "waiting"], *, has_ended: bool = False
) -> tuple[str, Reply] | None:
    """Return what is to be told of a stage by its message, and the stream that it belongs on.

    Args:
        message: as it was taken from the queue.
        kind: it was lost with its worker, or is still in hand of one that was slow to show life.
        has_ended: that worker is known to have ended.

    Returns:
        None for a message that is no stage of a turn, or that another version wrote.
    """
    try:
        content = json.loads(message)
        queue = _QUEUE_OF.get(content["headers"]["task"])
        if queue is None:
            return None
        body = content["body"]
        # What Celery sends at the end of a chain's stage is in base64; what is sent here is not.
        is_packed = content["properties"].get("body_encoding") == "base64"
        payload, *rest = json.loads(base64.b64decode(body) if is_packed else body)[0]
        ticket = TurnTicket.from_payload(payload)
        index = int(rest[0]) if rest else 0
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError):
        return None
    turn_id, attempt = ticket.turn_id, ticket.attempt
    reply = Reply(turn_id=turn_id, attempt=attempt, kind=kind, index=index, text=queue, last=has_ended)
    return ticket.reply_stream, reply


async def _push(
    redis: RedisClient,
    task: str,
    arguments: list[Any],
    ticket: TurnTicket,
    *,
    chain: Sequence[Any] = (),
    task_id: str = "",
    parent_id: str | None = None,
    more_headers: Mapping[str, Any] = _NO_HEADERS,
) -> int:
    queue, task_id = _QUEUE_OF[task], task_id or str(uuid.uuid4())
    embed = {"callbacks": None, "errbacks": None, "chain": list(chain) or None, "chord": None}
    headers = {**_headers(task, task_id, ticket), "parent_id": parent_id, "root_id": parent_id or task_id}
    if ticket.traceparent:
        headers["traceparent"] = ticket.traceparent
    headers |= more_headers
    message = _message(headers, json.dumps([arguments, {}, embed]), queue)
    length = await redis.run(
        PUSH,
        keys={"queue": queue, "sent": keys.sent(task_id)},
        arguments={"message": message, "sent_ttl_s": SENT_TTL_S},
    )
    return int(length)


def _expires(ticket: TurnTicket) -> str:
    return datetime.fromtimestamp(ticket.deadline_at_s, UTC).isoformat()


def _signature(task: str, ticket: TurnTicket) -> dict[str, Any]:
    """Return a Celery signature as JSON; the result of the stage before becomes its argument."""
    options = {
        "queue": _QUEUE_OF[task],
        "expires": _expires(ticket),
        "task_id": str(uuid.uuid4()),
        **_shown(ticket),
    }
    return {
        "task": task,
        "args": [],
        "kwargs": {},
        "options": options,
        "subtask_type": None,
        "immutable": False,
    }


def _message(headers: dict[str, Any], body: str, queue: str) -> str:
    task_id = headers["id"]
    return json.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": {
                "correlation_id": task_id,
                "reply_to": "",
                "delivery_mode": 1,
                "delivery_info": {"exchange": "", "routing_key": queue},
                "priority": 0,
                "delivery_tag": task_id,
            },
        }
    )


def _headers(task: str, task_id: str, ticket: TurnTicket) -> dict[str, Any]:
    return {
        "lang": "py",
        "task": task,
        "id": task_id,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": _expires(ticket),
        "timelimit": [None, None],
        "sent_at_s": round(time.time(), 3),
        **_shown(ticket),
        "origin": ticket.reply_stream,
        "ignore_result": True,
    }


def _shown(ticket: TurnTicket) -> dict[str, str]:
    """Return what people see of the arguments in Flower: ids, never what was said.

    Without it Celery shows the arguments themselves, those of a chained task too.
    """
    return {"argsrepr": f"({ticket.turn_id!r},)", "kwargsrepr": "{}"}
