"""Table of rules, of which the first one that has an answer gives it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dispatcher.bundled.assistant.arithmetic import work_out
from dispatcher.bundled.assistant.clock import tell_day, tell_place, tell_time
from dispatcher.bundled.assistant.control_calls import report
from dispatcher.bundled.assistant.durations import count_time, refuse_alarm
from dispatcher.bundled.assistant.follow_ups import stand_alone
from dispatcher.bundled.assistant.memory import note_fact, recall_name, repeat
from dispatcher.bundled.assistant.query import Query, Rule
from dispatcher.bundled.assistant.small_talk import chat, decline, greet, tell, with_stand_in
from dispatcher.bundled.assistant.small_tasks import count_aloud, pick_number, spell
from dispatcher.bundled.assistant.units import convert

_SENTENCES: Final = re.compile(r"(?<=[.!?。！？；;\n])(?!\d)")
_CLAUSES: Final = re.compile(r"(?<=[,，.!?。！？；;\n])(?!\d)")
# What follows such a beginning is not a question of its own.
_CONDITION: Final = re.compile(
    r"^\W*(?:if|when|suppose|imagine|assume|given)\b|^(?:如果|假如|假设|要是|当)", re.IGNORECASE
)
_MOST_PARTS: Final = 5


# From the narrow to the wide: "what did I say about the time" is about memory, not about the time.
RULES: Final[tuple[Rule, ...]] = (
    repeat,
    recall_name,
    report,
    count_aloud,
    count_time,
    refuse_alarm,
    convert,
    work_out,
    tell_time,
    tell_day,
    tell_place,
    pick_number,
    spell,
    tell,
    chat,
    decline,
    note_fact,
)


def answer(query: Query) -> str:
    """Return the answer, which begins with an emoji for the mood."""
    return _one(query) or _of_parts(query, _SENTENCES) or _of_parts(query, _CLAUSES) or _fall_back(query)


def _one(query: Query) -> str | None:
    """Return the answer to a text as a whole, or as a follow-up."""
    said = next((said for rule in RULES if (said := rule(query))), None)
    if said is None and (whole := stand_alone(query)) is not None:
        said = next((said for rule in RULES if (said := rule(whole))), None)
    return said


def _of_parts(query: Query, marks: re.Pattern[str]) -> str | None:
    """Return the answers to the parts of a text, one after the other; a greeting needs none beside them."""
    parts = [part for part in marks.split(query.said) if any(each.isalnum() for each in part)]
    if not 1 < len(parts) <= _MOST_PARTS or _CONDITION.search(query.said):
        return None
    asked = [replace(query, said=part.strip()) for part in parts]
    said = list(dict.fromkeys(each for part in asked if not greet(part) and (each := _one(part))))
    if not said:
        return None
    return query.say(" ", "").join([said[0], *(each.partition(" ")[2] for each in said[1:])])


def _fall_back(query: Query) -> str:
    """Answer that there is no answer, and once how a real language model takes over."""
    if not any(sign.isalnum() for sign in query.said):
        return query.say("🤔 I did not catch that.", "🤔 我没有听清。")
    return with_stand_in(query, query.say("🤔 I have no answer to that.", "🤔 这个我不会。"))
