"""Dialogues with the built-in assistant, without its server."""

from __future__ import annotations

from datetime import UTC, datetime

from dispatcher.bundled.assistant.query import parse_query
from dispatcher.bundled.assistant.rules import answer
from dispatcher.bundled.engines import Language, Message

# A Monday.
NOW = datetime(2026, 11, 23, 15, 25, 30, 123_457, tzinfo=UTC)
STAND_IN, STAND_IN_ZH = "only the built-in stand-in", "内置的简易助手"


def says(said: str, *before: tuple[str, str], hint: Language = "auto", now: datetime = NOW) -> str:
    """Return the answer to a question, after the exchanges before it."""
    messages = [
        Message(role=role, content=content)
        for exchange in before
        for role, content in zip(("user", "assistant"), exchange, strict=True)
    ]
    return answer(parse_query([*messages, Message(role="user", content=said)], hint=hint, now=now))


def talk(*questions: str, now: datetime = NOW) -> list[str]:
    """Return the answers to questions that are asked one after the other."""
    exchanges: list[tuple[str, str]] = []
    for question in questions:
        exchanges.append((question, says(question, *exchanges, now=now)))
    return [reply for _, reply in exchanges]
