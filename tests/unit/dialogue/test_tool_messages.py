"""The dialogue about tools, told to an LLM that knows of none."""

from __future__ import annotations

from dispatcher.dialogue.history import Message
from dispatcher.dialogue.tool_messages import as_plain_text
from dispatcher.tools.model import ToolCall


def test_a_dialogue_without_tools_stays_as_it_is() -> None:
    messages = [Message(role="system", content="Be kind."), Message(role="user", content="Hi.")]
    assert as_plain_text(messages) == messages


def test_calls_and_results_become_words_with_roles_that_take_turns() -> None:
    asked = (ToolCall(id="1", name="status", arguments="{}"), ToolCall(id="2", name="set", arguments="{}"))
    messages = [
        Message(role="user", content="Louder!"),
        Message(role="assistant", content="", tool_calls=asked),
        Message(role="tool", content="70", tool_call_id="1"),
        Message(role="tool", content="true", tool_call_id="2"),
        Message(role="assistant", content="Done.", tool_calls=asked[:1]),
        Message(role="tool", content="80", tool_call_id="gone"),
    ]
    assert [(message.role, message.content) for message in as_plain_text(messages)] == [
        ("user", "Louder!"),
        ("assistant", "(I call status, set.)"),
        ("user", "(Result of status: 70)\n(Result of set: true)"),
        ("assistant", "Done."),
        ("user", "(Result of a tool: 80)"),
    ]


def test_a_result_without_a_dialogue_before_it_is_told_all_the_same() -> None:
    assert as_plain_text([Message(role="tool", content="x")])[0].content == "(Result of a tool: x)"
