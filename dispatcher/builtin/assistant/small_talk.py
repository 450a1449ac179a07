"""Small talk: finding the subject in the table, and taking turns with its answers."""

from __future__ import annotations

from dispatcher.builtin.assistant.asked import Asked
from dispatcher.builtin.assistant.small_talk_table import TOPICS


def chat(asked: Asked) -> str | None:
    """Answer what people say to be polite, to be funny, or to find out who is talking."""
    for topic in TOPICS:
        if asked.language == "zh" and topic.chinese.search(asked.text):
            return topic.answers_zh[asked.turn % len(topic.answers_zh)]
        if asked.language == "en" and topic.english.search(asked.text):
            return topic.answers[asked.turn % len(topic.answers)]
    return None
