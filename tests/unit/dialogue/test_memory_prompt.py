"""What an LLM is asked to remember, and what is made of its answer."""

from __future__ import annotations

from dispatcher.bundled.assistant import memory
from dispatcher.dialogue import memory_prompt
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.memory_prompt import as_memory, task_messages, with_memory

DIALOGUE = [
    Message(role="user", content="My name is\nAda."),
    Message(role="assistant", content="Hello!"),
    Message(role="tool", content="{}"),
    Message(role="user", content=""),
]


def test_an_llm_is_given_the_memory_and_the_dialogue_line_by_line() -> None:
    system, user = task_messages("I like tea", DIALOGUE, max_characters=300)
    assert (system.role, user.role) == ("system", "user")
    assert "300 characters" in system.content
    assert user.content == "Memory so far:\nI like tea\n\nDialogue:\nUser: My name is Ada.\nAssistant: Hello!"


def test_a_first_memory_is_made_from_nothing() -> None:
    assert task_messages("", [], max_characters=300)[1].content.startswith("Memory so far:\n(nothing)\n")


def test_a_memory_is_whole_lines_within_its_bound() -> None:
    assert (
        as_memory("\n My name is Ada \n(nothing)\nI like tea\nx", max_characters=25)
        == "My name is Ada\nI like tea"
    )
    assert as_memory("a very long line", max_characters=5) == ""
    assert as_memory("I like tea\n\nI like you", max_characters=100) == "I like tea\nI like you"


def test_the_prompt_tells_what_is_known_only_where_something_is() -> None:
    assert with_memory("Be kind.", "") == "Be kind."
    assert with_memory("Be kind.", "I like tea").endswith(f"\n\n{memory_prompt.KNOWN_MARK}\nI like tea")
    assert with_memory("", "x").startswith(memory_prompt.KNOWN_MARK)


def test_the_built_in_assistant_knows_the_same_words() -> None:
    assert (memory.TASK_MARK, memory.KNOWN_MARK) == (memory_prompt.TASK_MARK, memory_prompt.KNOWN_MARK)
