"""Device controls: values that a user may change, such as the volume, and the tools for them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from dispatcher.bundled.assistant.query import Query
from dispatcher.bundled.engines import Tool

STEP: Final = 10
_NUMBER_TYPES: Final = ("integer", "number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A value of the device, such as its volume; the patterns hold both languages.

    Attributes:
        key: its word in the names of tools, in their reports, and aloud.
        key_zh: its word aloud in Chinese.
        named: how people name it.
        up, down: how they ask for more or less of it, without a number.
    """

    key: str
    key_zh: str
    named: re.Pattern[str]
    up: re.Pattern[str]
    down: re.Pattern[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRequest:
    """What the user wants of a control: a value, a step up or down, or to know its value."""

    control: Control
    kind: Literal["set", "step", "ask"]
    value: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Setter:
    """The tool that sets a control, and the one argument that it takes."""

    tool: Tool
    argument: str
    low: float
    high: float


CONTROLS: Final = (
    # The brightness first: "turn it up" is about the volume only where nothing else is named.
    Control(
        key="brightness",
        key_zh="亮度",
        named=re.compile(
            r"\bbrightness\b(?! of (?:an?|the (?!screen|display)))|\bhow bright (?:are you|is (?:it"
            r"|the (?:screen|display)))\b|亮度|屏幕多亮"
        ),
        up=re.compile(
            r"\bbrighter\b|\b(?:turn the )?brightness up\b|\bturn up the brightness\b"
            r"|亮[1一]?点|亮度(?:再)?(?:调)?[大高亮]|(?:调|开)亮|调高亮度|太暗"
        ),
        down=re.compile(
            r"\b(?:dimmer|darker|brightness down|down the brightness)\b|\bdim the (?:screen|display)\b"
            r"|暗[1一]?点|亮度(?:再)?(?:调)?[小低暗]|调暗|调低亮度|太亮"
        ),
    ),
    Control(
        key="volume",
        key_zh="音量",
        named=re.compile(
            r"\bvolume\b(?! of (?:an?|one|\d))|\bhow loud (?:are you|is (?:it|this|the (?:sound"
            r"|volume|speaker)))\b|音量|声音|多大声"
        ),
        up=re.compile(
            r"\blouder\b|\bturn (?:it|the (?:sound|volume)) up\b|\bvolume up\b"
            r"|\bturn up the (?:sound|volume|music|speaker)\b|大声[1一]?点"
            r"|(?:音量|声音)(?:再)?(?:调|开|放)?[大高]|(?:调|开)[大高](?:音量|声音|[1一]?点)|太小声|声音太小"
        ),
        down=re.compile(
            r"\b(?:quieter|softer|volume down)\b|\bturn (?:it|the (?:sound|volume)) down\b"
            r"|\bturn down the (?:sound|volume|music|speaker)\b|小声[1一]?点"
            r"|(?:音量|声音)(?:再)?(?:调|开|放)?[小低]|(?:调|开)[小低](?:音量|声音|[1一]?点)|太大声|声音太大|太吵"
        ),
    ),
)
_VALUE: Final = re.compile(
    r"\b(?:to|at|of|is|volume|brightness) (\d+(?:\.\d+)?)\b|^(\d+) percent"
    r"|(?:到|为|成|至|音量|声音|亮度)(?:百分之)?(\d+(?:\.\d+)?)(?!点)"
)
_FULL: Final = re.compile(r"\b(?:full|maximum|max|highest)\b|最[大高亮]")
_NONE: Final = re.compile(r"\bmute\b|\b(?:minimum|lowest)\b|静音|最[小低暗]")
_ASKS: Final = re.compile(r"\b(?:what|how|which)\b|多少|多大|多亮|几")
_MUTE: Final = re.compile(r"^(?:mute|be silent)\b|静音")


def parse_control(query: Query) -> ControlRequest | None:
    """Return what the user wants of a control, None where that is something else."""
    requests = (_request(control, query.figures) for control in CONTROLS)
    return next((request for request in requests if request), None)


def _request(control: Control, text: str) -> ControlRequest | None:
    is_named = control.named.search(text) is not None
    value = _VALUE.search(text) if is_named else None
    if value:
        number = float(next(filter(None, value.groups())))
        return ControlRequest(control=control, kind="set", value=number)
    if is_named or (control.key == "volume" and _MUTE.search(text)):
        for extreme, bound in ((_FULL, float("inf")), (_NONE, float("-inf"))):
            if extreme.search(text):
                return ControlRequest(control=control, kind="set", value=bound)
    for direction, step in ((control.up, STEP), (control.down, -STEP)):
        if direction.search(text):
            return ControlRequest(control=control, kind="step", value=step)
    return ControlRequest(control=control, kind="ask") if is_named and _ASKS.search(text) else None


def setter_of(control: Control, tools: Sequence[Tool]) -> Setter | None:
    """Return the tool that sets a control: one whose name, or else description, speaks of it."""
    fitting = [setter for tool in tools if (setter := _as_setter(tool)) is not None]
    by_name = [each for each in fitting if control.key in each.tool.name.lower()]
    by_words = [each for each in fitting if _speaks_of(control, each.tool)]
    return next(iter([*by_name, *by_words]), None)


def reporter_of(tools: Sequence[Tool]) -> Tool | None:
    """Return the tool that reports the state of the device and requires no argument."""
    return next(
        (tool for tool in tools if "status" in tool.name.lower() and not tool.parameters.get("required")),
        None,
    )


def reading(control: Control, report: str) -> float | None:
    """Return the value of a control in the report of a device."""
    try:
        reported = json.loads(report)
    except (ValueError, RecursionError):
        return None
    return next(_values(reported, control.key), None)


def _as_setter(tool: Tool) -> Setter | None:
    """Return a tool as a setter where it takes one number and needs nothing else."""
    properties = tool.parameters.get("properties", {})
    numbers = [name for name, part in properties.items() if part.get("type") in _NUMBER_TYPES]
    if len(numbers) != 1 or not set(tool.parameters.get("required", [])) <= set(numbers):
        return None
    bounds = properties[numbers[0]]
    return Setter(
        tool=tool, argument=numbers[0], low=bounds.get("minimum", 0), high=bounds.get("maximum", 100)
    )


def _speaks_of(control: Control, tool: Tool) -> bool:
    text = tool.description.lower()
    return control.key in text or control.key_zh in text


def _values(reported: Any, key: str) -> Iterator[float]:
    if isinstance(reported, Mapping):
        value = reported.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield value
        for part in reported.values():
            yield from _values(part, key)
