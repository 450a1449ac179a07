"""Calls that set volume and brightness, by the tools that are offered, and answers about their outcome."""

from __future__ import annotations

from typing import Final

from dispatcher.bundled.assistant.device_controls import (
    ControlRequest,
    Setter,
    parse_control,
    reading,
    reporter_of,
    setter_of,
)
from dispatcher.bundled.assistant.numbers import short_number
from dispatcher.bundled.assistant.query import Query
from dispatcher.bundled.engines import Call
from dispatcher.speech_text.chinese_words import number_zh

# How a failed call is reported to an LLM; a device that says `false` did not do it either.
_FAILED: Final = ("error", "false")
_UNKNOWN: Final = "not known whether"


def next_call(query: Query) -> Call | None:
    """Return the call to make now, or None when it is time to answer."""
    request = parse_control(query)
    setter = setter_of(request.control, query.tools) if request else None
    if request is None or (setter is None and request.kind != "ask"):
        return None
    if setter is not None and _result(query, setter.tool.name) is not None:
        return None
    reporter = reporter_of(query.tools)
    if request.kind != "set" and reporter is not None and _result(query, reporter.name) is None:
        return Call(tool=reporter.name, arguments={})
    value = _target(query, request, setter)
    if value is None or setter is None or request.kind == "ask" or not setter.low <= value <= setter.high:
        return None
    return Call(tool=setter.tool.name, arguments={setter.argument: int(value) if value % 1 == 0 else value})


def report(query: Query) -> str | None:
    """Answer the outcome of a request, or why there is none."""
    request = parse_control(query)
    if request is None:
        return None
    setter = setter_of(request.control, query.tools)
    if request.kind == "ask":
        return _told(query, request)
    if setter is None:
        return query.say(
            f"😳 I cannot change the {request.control.key} of this device.",
            f"😳 这个设备的{request.control.key_zh}我调不了。",
        )
    value = _target(query, request, setter)
    if value is None:
        return query.say(
            f"🤔 I cannot see how the {request.control.key} stands. Please say a number.",
            f"🤔 我不知道现在的{request.control.key_zh}，请直接说一个数字。",
        )
    if not setter.low <= value <= setter.high:
        low, high = short_number(setter.low), short_number(setter.high)
        return query.say(
            f"🤔 The {request.control.key} goes from {low} to {high}.",
            f"🤔 {request.control.key_zh}只能从{low}到{high}。",
        )
    return _done(query, request, value, _result(query, setter.tool.name) or "error")


def _done(query: Query, request: ControlRequest, value: float, result: str) -> str:
    """Confirm, or say that it failed."""
    name, name_zh = request.control.key, request.control.key_zh
    if _UNKNOWN in result:
        return query.say(
            f"😳 The device did not answer, so I do not know whether the {name} changed.",
            f"😳 设备没有回应，我不知道{name_zh}有没有变。",
        )
    if result.strip().lower().startswith(_FAILED):
        return query.say(f"😳 Sorry, the {name} could not be changed.", f"😳 抱歉，{name_zh}没有调成。")
    return query.say(
        f"🙂 {name.capitalize()} is now {short_number(value)}.",
        f"🙂 {name_zh}已调到{number_zh(short_number(value))}。",
    )


def _told(query: Query, request: ControlRequest) -> str:
    current = _current(query, request)
    if current is None:
        return query.say(
            f"🤔 This device does not tell me its {request.control.key}.",
            f"🤔 这个设备没有告诉我它的{request.control.key_zh}。",
        )
    return query.say(
        f"🙂 The {request.control.key} is at {short_number(current)}.",
        f"🙂 现在的{request.control.key_zh}是{number_zh(short_number(current))}。",
    )


def _target(query: Query, request: ControlRequest, setter: Setter | None) -> float | None:
    """Return the value that is wanted; None where that depends on what is not known."""
    if setter is None:
        return None
    if request.kind == "set" and abs(request.value) != float("inf"):
        return request.value
    current = 0.0 if request.kind == "set" else _current(query, request)
    return None if current is None else min(setter.high, max(setter.low, current + request.value))


def _current(query: Query, request: ControlRequest) -> float | None:
    reporter = reporter_of(query.tools)
    reported = _result(query, reporter.name) if reporter else None
    return None if reported is None else reading(request.control, reported)


def _result(query: Query, tool: str) -> str | None:
    """Return the result of a call for this question, None where it was not made."""
    return next((result for call, result in reversed(query.done) if call.tool == tool), None)
