"""Memory by rules: facts that a user stated about himself, and nothing else."""

from __future__ import annotations

import pytest

from dispatcher.bundled.assistant.memory import KNOWN_MARK, TASK_MARK, is_memory_task, known_facts, memory_of
from dispatcher.bundled.engines import Message


def remembered(*said: str, before: str = "(nothing)") -> list[str]:
    """Return the memory after a user said something."""
    dialogue = "\n".join(f"User: {each}\nAssistant: My name is Xiaozhi." for each in said)
    messages = [
        Message(role="system", content=TASK_MARK),
        Message(role="user", content=f"Memory so far:\n{before}\n\nDialogue:\n{dialogue}"),
    ]
    assert is_memory_task(messages)
    return memory_of(messages).splitlines()


@pytest.mark.parametrize(
    ("said", "facts"),
    [
        ("My name is Ada, what time is it?", ["My name is Ada"]),
        ("Hi. I live in Oslo and it is cold.", ["I live in Oslo and it is cold"]),
        ("I am 42 years old", ["I am 42 years old"]),
        ("I have 1,000 books", ["I have 1,000 books"]),
        ("你好，我叫小明。我今年8岁，我喜欢恐龙。", ["我叫小明", "我今年8岁", "我喜欢恐龙"]),
        ("我家在北京", ["我家在北京"]),
    ],
)
def test_a_fact_is_kept_in_the_users_own_words(said: str, facts: list[str]) -> None:
    assert remembered(said) == facts


@pytest.mark.parametrize(
    "said",
    [
        "What is my name?",
        "我叫什么？",
        "你知道我喜欢恐龙吗",
        "Tell me a joke.",
        "do I live in Oslo",
        "x" * 200,
    ],
)
def test_what_is_no_statement_is_not_kept(said: str) -> None:
    assert remembered(said) == []


def test_a_newer_fact_of_the_same_kind_replaces_the_older_one() -> None:
    assert remembered("My name is Bob", before="My name is Ada\nI like tea") == [
        "I like tea",
        "My name is Bob",
    ]


def test_only_the_newest_facts_are_kept() -> None:
    kept = remembered(*(f"I like thing number {number}" for number in range(30)))
    assert len(kept) == 20
    assert kept[-1] == "I like thing number 29"


def test_what_is_known_is_read_from_the_prompt() -> None:
    prompt = Message(role="system", content=f"Be kind.\n\n{KNOWN_MARK}\nMy name is Ada\n\nI like tea")
    assert known_facts(prompt.content) == ["My name is Ada", "I like tea"]
    assert known_facts("Be kind.") == []
    assert not is_memory_task([prompt])
