"""The table of rules: the first one that has an answer gives it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dispatcher.bundled.assistant.arithmetic import work_out
from dispatcher.bundled.assistant.clock import tell_day, tell_place, tell_time
from dispatcher.bundled.assistant.device_calls import report
from dispatcher.bundled.assistant.durations import count_time, refuse_alarm
from dispatcher.bundled.assistant.follow_ups import stand_alone
from dispatcher.bundled.assistant.memory import note_fact, recall_name, repeat
from dispatcher.bundled.assistant.query import Query, Rule
from dispatcher.bundled.assistant.small_talk import chat, greet, own_up, with_stand_in
from dispatcher.bundled.assistant.small_tasks import count_aloud, spell, throw
from dispatcher.bundled.assistant.stories import tell
from dispatcher.bundled.assistant.units import convert

_HELP: Final = re.compile(
    r"^(?:help|help me)$|\bwhat (?:can|do) you (?:do|know)\b(?! about)"
    r"|\bwhat can i (?:say|ask)\b|\bhow (?:do|can) i use you\b"
    r"|^(?:帮助|帮帮我|使用说明)$|你(?:会|能|可以|都会|都能)(?:做|干|说|帮我做)?(?:什么|啥|哪些)|怎么用你|有什么功能"
)
_SENTENCES: Final = re.compile(r"(?<=[.!?。！？；;\n])(?!\d)")
_CLAUSES: Final = re.compile(r"(?<=[,，.!?。！？；;\n])(?!\d)")
# What follows such a beginning is not a question of its own.
_CONDITION: Final = re.compile(
    r"^\W*(?:if|when|suppose|imagine|assume|given)\b|^(?:如果|假如|假设|要是|当)", re.IGNORECASE
)
_MOST_PARTS: Final = 5


def explain(query: Query) -> str | None:
    """Answer what one may ask."""
    if not _HELP.search(query.text):
        return None
    return query.say(
        "🙂 A few things. Ask me for the time here or in another city, the date, sums, units, "
        "a story or a joke. For everything else, put a real language model into the configuration.",
        "🙂 我会的不多。可以问我这里或别处的时间和日期，让我算数、换算单位，听故事和笑话。"
        "想聊别的，请在配置里接上真正的大模型。",
    )


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
    throw,
    spell,
    explain,
    tell,
    chat,
    own_up,
    note_fact,
)


def answer(query: Query) -> str:
    """Return what the assistant says; it begins with an emoji for the mood."""
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
    """Own up to having no answer, and say once how a real language model takes over."""
    if not any(sign.isalnum() for sign in query.said):
        return query.say("🤔 I did not catch that.", "🤔 我没有听清。")
    return with_stand_in(query, query.say("🤔 I have no answer to that.", "🤔 这个我不会。"))
