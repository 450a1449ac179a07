"""Turning the volume and the brightness: by the tools that are offered, and only by those."""

from __future__ import annotations

from typing import Final

from cn2an import an2cn

from dispatcher.builtin.assistant.asked import Asked
from dispatcher.builtin.assistant.dials import Setter, Wish, reading, reporter_of, setter_of, wish_of
from dispatcher.builtin.assistant.numbers import short_number
from dispatcher.builtin.engines import Call

# How a failed call is told to an LLM; a device that says `false` did not do it either.
_FAILED: Final = ("error", "false")
_UNKNOWN: Final = "not known whether"


def next_call(asked: Asked) -> Call | None:
    """Return what to call now, or None when it is time to speak."""
    wish = wish_of(asked)
    setter = setter_of(wish.dial, asked.tools) if wish else None
    if wish is None or (setter is None and wish.kind != "ask"):
        return None
    if setter is not None and _result(asked, setter.tool.name) is not None:
        return None
    reporter = reporter_of(asked.tools)
    if wish.kind != "set" and reporter is not None and _result(asked, reporter.name) is None:
        return Call(tool=reporter.name, arguments={})
    value = _target(asked, wish, setter)
    if value is None or setter is None or wish.kind == "ask" or not setter.low <= value <= setter.high:
        return None
    return Call(tool=setter.tool.name, arguments={setter.argument: int(value) if value % 1 == 0 else value})


def report(asked: Asked) -> str | None:
    """Answer what became of a wish, or why nothing did."""
    wish = wish_of(asked)
    if wish is None:
        return None
    setter = setter_of(wish.dial, asked.tools)
    if wish.kind == "ask":
        return _told(asked, wish)
    if setter is None:
        return _say(
            asked,
            f"😳 I cannot change the {wish.dial.spoken} of this device.",
            f"😳 这个设备的{wish.dial.spoken_zh}我调不了。",
        )
    value = _target(asked, wish, setter)
    if value is None:
        return _say(
            asked,
            f"🤔 I cannot see how the {wish.dial.spoken} stands. Please say a number.",
            f"🤔 我不知道现在的{wish.dial.spoken_zh}，请直接说一个数字。",
        )
    if not setter.low <= value <= setter.high:
        low, high = short_number(setter.low), short_number(setter.high)
        return _say(
            asked,
            f"🤔 The {wish.dial.spoken} goes from {low} to {high}.",
            f"🤔 {wish.dial.spoken_zh}只能从{low}到{high}。",
        )
    return _done(asked, wish, value, _result(asked, setter.tool.name) or "error")


def _done(asked: Asked, wish: Wish, value: float, result: str) -> str:
    """Confirm, or own up."""
    name, name_zh = wish.dial.spoken, wish.dial.spoken_zh
    if _UNKNOWN in result:
        return _say(
            asked,
            f"😳 The device did not answer, so I do not know whether the {name} changed.",
            f"😳 设备没有回应，我不知道{name_zh}有没有变。",
        )
    if result.strip().lower().startswith(_FAILED):
        return _say(asked, f"😳 Sorry, the {name} could not be changed.", f"😳 抱歉，{name_zh}没有调成。")
    return _say(
        asked, f"🙂 {name.capitalize()} is now {short_number(value)}.", f"🙂 {name_zh}已调到{_zh(value)}。"
    )


def _told(asked: Asked, wish: Wish) -> str:
    current = _current(asked, wish)
    if current is None:
        return _say(
            asked,
            f"🤔 This device does not tell me its {wish.dial.spoken}.",
            f"🤔 这个设备没有告诉我它的{wish.dial.spoken_zh}。",
        )
    return _say(
        asked,
        f"🙂 The {wish.dial.spoken} is at {short_number(current)}.",
        f"🙂 现在的{wish.dial.spoken_zh}是{_zh(current)}。",
    )


def _target(asked: Asked, wish: Wish, setter: Setter | None) -> float | None:
    """Return the value that is wanted; None where that depends on what is not known."""
    if setter is None:
        return None
    if wish.kind == "set" and abs(wish.value) != float("inf"):
        return wish.value
    current = 0.0 if wish.kind == "set" else _current(asked, wish)
    return None if current is None else min(setter.high, max(setter.low, current + wish.value))


def _current(asked: Asked, wish: Wish) -> float | None:
    reporter = reporter_of(asked.tools)
    told = _result(asked, reporter.name) if reporter else None
    return None if told is None else reading(wish.dial, told)


def _result(asked: Asked, tool: str) -> str | None:
    """Return what came of a call for this question, None where it was not made."""
    return next((result for call, result in reversed(asked.done) if call.tool == tool), None)


def _say(asked: Asked, english: str, chinese: str) -> str:
    return chinese if asked.language == "zh" else english


def _zh(value: float) -> str:
    return str(an2cn(short_number(value)))
