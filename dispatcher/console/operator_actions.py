"""Actions of an operator by click: each does what the command does, and is kept with its why."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog
from aiohttp import web

from dispatcher.console.access import require_operator
from dispatcher.console.context import CONSOLE
from dispatcher.errors import DispatcherError, StateError, UnknownName
from dispatcher.ops import device_admin, tuner_admin
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import admin
from dispatcher.telemetry import record_stream
from dispatcher.web_assets import SECURITY_HEADERS

log = structlog.get_logger(__name__)

MAX_VALUE: Final = 200
OPERATOR_ACTIONS_KEPT: Final = 200
MAX_NAME: Final = 64
LONGEST_EJECTION_S: Final = 24 * 3600
UNDO_TIMEOUT_S: Final = 10.0

OperatorAction = Callable[[RedisClient, str, str], Awaitable[str]]


async def act(request: web.Request) -> web.Response:
    """Do what an operator asks for, keep it, and answer what was done."""
    session = require_operator(request)
    name, subject, value, why = await _read(request)
    # Commands to devices wait for answers on a connection that carries nothing else.
    redis = RedisClient(connect(request.app[CONSOLE].settings.redis_url))
    try:
        done = await ACTIONS[name](redis, subject, value)
        await _keep(
            redis, {"who": session.name, "what": name, "subject": subject, "value": value, "why": why}
        )
    except (ValueError, UnknownName) as error:
        raise web.HTTPBadRequest(text=str(error), headers=SECURITY_HEADERS) from error
    except StateError as error:
        raise web.HTTPServiceUnavailable(text=str(error), headers=SECURITY_HEADERS) from error
    except DispatcherError as error:
        raise web.HTTPConflict(text=str(error), headers=SECURITY_HEADERS) from error
    finally:
        await redis.close()
    return web.json_response({"done": done}, headers=SECURITY_HEADERS)


async def read_actions(redis: RedisClient) -> list[Mapping[str, Any]]:
    """Return the last actions, newest first.

    Raises:
        StateError: Redis is out of reach.
    """
    raw = await redis.execute("LRANGE", keys.OPERATOR_ACTIONS, 0, OPERATOR_ACTIONS_KEPT - 1)
    return [json.loads(one) for one in raw]


async def _read(request: web.Request) -> tuple[str, str, str, str]:
    try:
        given = await request.json()
        name, subject, value, why = (
            str(given.get(field, ""))[:MAX_VALUE].strip() for field in ("action", "subject", "value", "why")
        )
    except (ValueError, AttributeError) as error:
        raise web.HTTPBadRequest(text="expected a JSON object", headers=SECURITY_HEADERS) from error
    for field, text in (("subject", subject), ("value", value), ("why", why)):
        if not text.isprintable():
            refused = f"{field}: was {text!r}; expected printable characters"
            raise web.HTTPBadRequest(text=refused, headers=SECURITY_HEADERS)
    if name not in ACTIONS:
        text = f"action: was {name!r}; expected one of {', '.join(ACTIONS)}"
        raise web.HTTPBadRequest(text=text, headers=SECURITY_HEADERS)
    if not subject:
        raise web.HTTPBadRequest(text="subject: was empty; expected a name", headers=SECURITY_HEADERS)
    return name, subject, value, why


async def _keep(redis: RedisClient, action: Mapping[str, str]) -> None:
    at_s = round(time.time(), 1)
    await redis.execute("LPUSH", keys.OPERATOR_ACTIONS, json.dumps({"at_s": at_s, **action}))
    redis.send_nowait("LTRIM", keys.OPERATOR_ACTIONS, 0, OPERATOR_ACTIONS_KEPT - 1)
    in_words = f"{action['what']} {action['subject']} {action['value']}".strip()
    record = {
        "at_s": at_s,
        "event": "operator",
        "action": in_words,
        "why": action["why"],
        "who": action["who"],
    }
    record_stream.add(redis, "decision", record)
    log.info("operator acted", who=action["who"], action=in_words, why=action["why"])


async def _drain(redis: RedisClient, subject: str, _: str) -> str:
    await admin.drain(redis, subject)
    return f"{subject}: draining, it gets no new calls"


async def _restore(redis: RedisClient, subject: str, _: str) -> str:
    await admin.restore(redis, subject)
    return f"{subject}: restored"


async def _eject(redis: RedisClient, subject: str, value: str) -> str:
    seconds = _number(value, "value", most=LONGEST_EJECTION_S)
    await admin.eject(redis, subject, for_s=seconds)
    return f"{subject}: ejected for {seconds:g} s"


async def _undo(redis: RedisClient, subject: str, _: str) -> str:
    await tuner_admin.undo(redis, int(_number(subject, "subject", most=10**9)), timeout_s=UNDO_TIMEOUT_S)
    return f"experiment {subject}: undone"


async def _name(redis: RedisClient, subject: str, value: str) -> str:
    if len(value) > MAX_NAME or not value.isprintable():
        raise ValueError(f"value: was {value!r}; expected at most {MAX_NAME} characters, all printable")
    return await device_admin.mark(redis, subject, "name", value)


async def _persona(redis: RedisClient, subject: str, value: str) -> str:
    return await device_admin.set_persona(redis, subject, value or device_admin.DEFAULT)


async def _block(redis: RedisClient, subject: str, _: str) -> str:
    return await device_admin.block(redis, subject)


async def _unblock(redis: RedisClient, subject: str, _: str) -> str:
    return await device_admin.mark(redis, subject, "blocked", "")


async def _reboot(redis: RedisClient, subject: str, _: str) -> str:
    return await device_admin.reboot(redis, subject)


async def _alert(redis: RedisClient, subject: str, value: str) -> str:
    if not value:
        raise ValueError("value: was empty; expected the message")
    return await device_admin.alert(redis, subject, message=value, status="Notice", emotion="neutral")


def _number(text: str, field: str, *, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        raise ValueError(f"{field}: was {text!r}; expected a number above 0, at most {most:g}")
    return number


ACTIONS: Final[Mapping[str, OperatorAction]] = {
    "drain": _drain,
    "restore": _restore,
    "eject": _eject,
    "undo": _undo,
    "name": _name,
    "persona": _persona,
    "block": _block,
    "unblock": _unblock,
    "reboot": _reboot,
    "alert": _alert,
}
