"""The table of rules: the first one that has an answer gives it."""

from __future__ import annotations

from typing import Final

from dispatcher.builtin.assistant.arithmetic import work_out
from dispatcher.builtin.assistant.asked import Asked, Rule
from dispatcher.builtin.assistant.chance import throw
from dispatcher.builtin.assistant.clock import tell_day, tell_time
from dispatcher.builtin.assistant.control import report
from dispatcher.builtin.assistant.guidance import explain, fall_back
from dispatcher.builtin.assistant.memory import recall_name, repeat
from dispatcher.builtin.assistant.small_talk import chat
from dispatcher.builtin.assistant.stories import tell
from dispatcher.builtin.assistant.timers import set_timer
from dispatcher.builtin.assistant.units import convert

# From the narrow to the wide: "what did I say about the time" is about memory, not about the time.
RULES: Final[tuple[Rule, ...]] = (
    repeat,
    recall_name,
    report,
    set_timer,
    convert,
    work_out,
    tell_time,
    tell_day,
    throw,
    explain,
    tell,
    chat,
)


def answer(asked: Asked) -> str:
    """Return what the assistant says; it begins with an emoji for the mood."""
    return next((said for rule in RULES if (said := rule(asked))), None) or fall_back(asked)
