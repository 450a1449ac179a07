"""The dialogue about tools, for an LLM that knows of none."""

from __future__ import annotations

from collections.abc import Sequence

from dispatcher.dialogue.history import Message


def as_plain_text(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with calls and their results as words.

    Results come as the user's: chat templates of small models take no other role in the middle of a
    dialogue, nor two messages of one role in a row.
    """
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    plain: list[Message] = []
    for message in messages:
        if message.role != "tool":
            called = ", ".join(call.name for call in message.tool_calls)
            said = message.content or (f"(I call {called}.)" if called else "")
            plain.append(Message(role=message.role, content=said))
            continue
        result = f"(Result of {names.get(message.tool_call_id, 'a tool')}: {message.content})"
        before = plain[-1] if plain else None
        if before is not None and before.content.startswith("(Result of "):
            plain[-1] = Message(role="user", content=f"{before.content}\n{result}")
        else:
            plain.append(Message(role="user", content=result))
    return plain
