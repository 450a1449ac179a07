"""Actions of an operator by click: each does what the command does, and is kept with its why."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, get_args

from aiohttp import web

from dispatcher.console.access import require_operator
from dispatcher.console.action_log import kept
from dispatcher.console.context import CONSOLE
from dispatcher.console.request_texts import read_object, require_printable, text_of
from dispatcher.control.overload_status import PIN_CHOICES, pin_as_chosen
from dispatcher.errors import ConfigError, DispatcherError, StateError, UnknownName
from dispatcher.messages import Language
from dispatcher.ops import device_admin, tuner_admin
from dispatcher.ops.instance_holds import LEAST_S, LONGEST_S, hold_instance, seconds_of
from dispatcher.redis_client.client import RedisClient, connect
from dispatcher.routing import admin

MAX_NAME: Final = 64
UNDO_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequest:
    """What an operator asks for.

    Attributes:
        subject: which instance, device or experiment.
        lasts: for how long, such as 1h; empty is until it is undone.
    """

    who: str
    name: str
    subject: str
    value: str
    lasts: str
    why: str


OperatorAction = Callable[[RedisClient, ActionRequest], Awaitable[str]]


async def act(request: web.Request) -> web.Response:
    """Do what an operator asks for, keep it, and answer what was done."""
    session = require_operator(request)
    asked = await _read(request, who=session.name)
    value = f"{asked.value} {asked.lasts}".strip()
    action = {"who": asked.who, "what": asked.name, "subject": asked.subject, "value": value}
    async with action_redis(request) as redis, kept(redis, {**action, "why": asked.why}):
        done = await ACTIONS[asked.name](redis, asked)
    return web.json_response({"done": done})


@asynccontextmanager
async def action_redis(request: web.Request) -> AsyncIterator[RedisClient]:
    """Lend a connection of its own for an action, and answer its errors.

    Commands to devices wait for answers on a connection that carries nothing else.

    Raises:
        HTTPBadRequest: what was asked for cannot be done.
        HTTPConflict: it cannot be done now.
        HTTPServiceUnavailable: Redis is out of reach.
    """
    redis = RedisClient(connect(request.app[CONSOLE].settings.redis_url))
    try:
        yield redis
    except (ValueError, UnknownName, ConfigError) as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except StateError as error:
        raise web.HTTPServiceUnavailable(text=str(error)) from error
    except DispatcherError as error:
        raise web.HTTPConflict(text=str(error)) from error
    finally:
        await redis.close()


async def _read(request: web.Request, *, who: str) -> ActionRequest:
    given = await read_object(request)
    texts = {field: text_of(given, field) for field in ("action", "subject", "value", "for", "why")}
    for field, text in texts.items():
        require_printable(field, text)
    if texts["action"] not in ACTIONS:
        words = f"action: was {texts['action']!r}; expected one of {', '.join(ACTIONS)}"
        raise web.HTTPBadRequest(text=words)
    if not texts["subject"]:
        raise web.HTTPBadRequest(text="subject: was empty; expected a name")
    name, subject, value, lasts, why = texts.values()
    return ActionRequest(who=who, name=name, subject=subject, value=value, lasts=lasts, why=why)


async def _drain(redis: RedisClient, asked: ActionRequest) -> str:
    await admin.drain(redis, asked.subject)
    return f"{asked.subject}: draining, it gets no new calls"


async def _restore(redis: RedisClient, asked: ActionRequest) -> str:
    await admin.restore(redis, asked.subject)
    return f"{asked.subject}: restored"


async def _eject(redis: RedisClient, asked: ActionRequest) -> str:
    seconds = _seconds(asked.value)
    await admin.eject(redis, asked.subject, for_s=seconds)
    return f"{asked.subject}: ejected for {seconds:g} s"


async def _hold(redis: RedisClient, asked: ActionRequest, field: admin.HeldField) -> str:
    try:
        for_s = seconds_of(asked.lasts) if asked.lasts else None
    except ValueError as error:
        raise ValueError(f"for: {error}") from error
    return await hold_instance(redis, asked.subject, field, asked.value, for_s=for_s, by=asked.who)


async def _pin(redis: RedisClient, asked: ActionRequest) -> str:
    if asked.value not in PIN_CHOICES:
        raise ValueError(f"value: was {asked.value!r}; expected one of {', '.join(PIN_CHOICES)}")
    return await pin_as_chosen(redis, asked.value, by=asked.who)


async def _undo(redis: RedisClient, asked: ActionRequest) -> str:
    if not re.fullmatch(r"[0-9]{1,9}", asked.subject):
        raise ValueError(f"subject: was {asked.subject!r}; expected a number, that of an experiment")
    try:
        await tuner_admin.undo(redis, int(asked.subject), timeout_s=UNDO_TIMEOUT_S)
    except tuner_admin.UndoPending as error:  # what was asked for stays asked for: it is kept as begun
        raise StateError(str(error)) from error
    return f"experiment {asked.subject}: undone"


async def _name(redis: RedisClient, asked: ActionRequest) -> str:
    if len(asked.value) > MAX_NAME:
        raise ValueError(f"value: was {asked.value!r}; expected at most {MAX_NAME} characters")
    return await device_admin.mark(redis, asked.subject, "name", asked.value)


async def _language(redis: RedisClient, asked: ActionRequest) -> str:
    if asked.value and asked.value not in get_args(Language):
        known = ", ".join(get_args(Language))
        raise ValueError(f"value: was {asked.value!r}; expected one of {known}, or nothing")
    return await device_admin.mark(redis, asked.subject, "language", asked.value)


async def _alert(redis: RedisClient, asked: ActionRequest) -> str:
    if not asked.value:
        raise ValueError("value: was empty; expected the message")
    fields = {"message": asked.value, "status": "Notice", "emotion": "neutral"}
    return await device_admin.alert(redis, asked.subject, **fields)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not LEAST_S <= seconds <= LONGEST_S:
        raise ValueError(f"value: was {text!r}; expected a number above 0, at most {LONGEST_S:g}")
    return seconds


ACTIONS: Final[Mapping[str, OperatorAction]] = {
    "drain": _drain,
    "restore": _restore,
    "eject": _eject,
    "weight": lambda redis, asked: _hold(redis, asked, "weight"),
    "cap": lambda redis, asked: _hold(redis, asked, "cap"),
    "undo": _undo,
    "pin": _pin,
    "name": _name,
    "persona": lambda redis, asked: device_admin.set_persona(
        redis, asked.subject, asked.value or device_admin.DEFAULT
    ),
    "language": _language,
    "block": lambda redis, asked: device_admin.block(redis, asked.subject),
    "unblock": lambda redis, asked: device_admin.mark(redis, asked.subject, "blocked", ""),
    "reboot": lambda redis, asked: device_admin.reboot(redis, asked.subject),
    "alert": _alert,
}
