"""Dialogue so far, in the form and the length that an LLM takes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Final, Literal

from dispatcher.dialogue.language import detect_language
from dispatcher.tools.model import ToolCall

Role = Literal["system", "user", "assistant", "tool"]

# From here on (CJK, kana, Hangul, their punctuation, emoji) a character is about a token of its own.
_FIRST_WIDE: Final = "\u2e80"
_WIDE: Final = re.compile(f"[{_FIRST_WIDE}-\U0010ffff]")
_NARROW_PER_TOKEN: Final = 4
_CUT_MARK: Final = "…"
_GO_ON: Final[Mapping[str, str]] = {
    "en": "Go on exactly where you stopped, and do not repeat what you have already said.",
    "zh": "请从刚才停下的地方接着说完，不要重复已经说过的内容。",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of the dialogue, as the chat API of an LLM takes it.

    Attributes:
        tool_calls: what an assistant asked to be done.
        tool_call_id: which of these calls a tool answers.
        reasoning: how an assistant came to its calls, where its service sent that; it goes back with them.
    """

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""


def count_tokens(text: str) -> int:
    """Return about how many tokens a text is: a CJK character is one, four other characters are one.

    Tokenizers of common models stay within a fifth of it; the budget is a rule of thumb too.
    """
    narrow = len(text) if text.isascii() else len(_WIDE.sub("", text))
    wide = len(text) - narrow
    return wide + -(-narrow // _NARROW_PER_TOKEN)


def trim(messages: Sequence[Message], *, max_tokens: int) -> list[Message]:
    """Return the newest exchanges that fit, each whole, in their order.

    An exchange is a user message and the answers to it. A dialogue that is full is cut to half of the budget,
    at a message that its later requests hold as well: they begin with the same messages until it is full
    again, so that a server's prompt cache holds. The newest exchange stays even when it alone is too long:
    then its longest messages are shortened. Answers without a question are left out.
    """
    if max_tokens <= 0:
        return []
    kept: deque[list[Message]] = deque()
    held = 0
    for message in messages:
        if message.role == "user":
            kept.append([message])
        elif kept:
            kept[-1].append(message)
        else:
            continue
        held += count_tokens(message.content)
        if held <= max_tokens:
            continue
        while len(kept) > 1 and held > max_tokens // 2:
            held -= sum(count_tokens(old.content) for old in kept.popleft())
    if held > max_tokens:
        return _shortened(kept[-1], max_tokens)
    return list(chain.from_iterable(kept))


def chat_messages(
    system_prompt: str, history: Sequence[Message], user_text: str, *, max_tokens: int
) -> list[Message]:
    """Return what to send to an LLM: the prompt, the dialogue that fits, the new utterance last.

    Args:
        system_prompt: left out when empty; it does not count against `max_tokens`.
        history: earlier messages, oldest first.
        user_text: the utterance to answer.
        max_tokens: for the dialogue with the utterance.
    """
    system = [Message(role="system", content=system_prompt)] if system_prompt else []
    return system + trim([*history, Message(role="user", content=user_text)], max_tokens=max_tokens)


def well_formed(messages: Sequence[Message]) -> list[Message]:
    """Return the messages in the form that any server takes, also one with a strict chat template.

    One system message comes first, no two messages of one role follow each other, the first of the dialogue
    is the user's, and results of tools stand right behind the calls that they answer.
    """
    system = "\n\n".join(each.content for each in messages if each.role == "system" and each.content)
    formed = [Message(role="system", content=system)] if system else []
    asked: set[str] = set()
    for message in messages:
        before = formed[-1] if formed else None
        if message.role == "tool":
            if message.tool_call_id in asked:
                asked.remove(message.tool_call_id)
                formed.append(message)
        elif message.role == "system" or not (message.content or message.tool_calls):
            continue
        elif before is not None and before.role == message.role and not before.tool_calls:
            content = "\n".join(part for part in (before.content, message.content) if part)
            formed[-1] = replace(message, content=content)
        elif message.role == "user" or not _begins_dialogue(before):
            formed.append(message)
        asked |= {call.id for call in message.tool_calls}
    return formed


def _begins_dialogue(before: Message | None) -> bool:
    return before is None or before.role == "system"


def continuation(spoken: str) -> list[Message]:
    """Return what asks for the rest of a reply of which something was spoken already.

    The last word is the user's: a request that ends with a message of the assistant is refused by strict
    chat templates. Servers that begin anew all the same are met by `RepeatFilter`.
    """
    wish = _GO_ON[detect_language(spoken)]
    return [Message(role="assistant", content=spoken), Message(role="user", content=wish)] if spoken else []


def as_plain_text(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with calls and their results as words, for an LLM that takes no tools.

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


def _quarters(character: str) -> int:
    return _NARROW_PER_TOKEN if character >= _FIRST_WIDE else 1


def _shortened(exchange: list[Message], max_tokens: int) -> list[Message]:
    """Return the messages cut to equal shares; what a short one leaves over goes to the long ones."""
    contents: dict[int, str] = {}
    left = max_tokens
    by_size = sorted(range(len(exchange)), key=lambda at: count_tokens(exchange[at].content))
    for done, at in enumerate(by_size):
        share = left // (len(exchange) - done)
        contents[at] = _cut(exchange[at].content, share)
        left -= count_tokens(contents[at])
    if not contents[0]:
        # No room for the question, so an answer would stand alone.
        return []
    return [replace(message, content=contents[at]) for at, message in enumerate(exchange) if contents[at]]


def _cut(text: str, max_tokens: int) -> str:
    """Return the beginning of the text, at most so many tokens with the mark that shows the cut."""
    if count_tokens(text) <= max_tokens:
        return text
    ends = list(accumulate(map(_quarters, text)))
    room = max_tokens * _NARROW_PER_TOKEN - _quarters(_CUT_MARK)
    length = bisect_right(ends, room)
    return text[:length] + _CUT_MARK if length else ""
