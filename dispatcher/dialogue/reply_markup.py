"""Chat template markup in a streamed reply: reasoning is dropped, written tool calls are parsed.

Text is held back only where its end may be the beginning of a mark, where it begins like JSON, and where the
reply begins like reasoning whose opening tag is missing.

Sources: xinnan-tech/xiaozhi-esp32-server #1050, #1739, #1250; semperai/amica #174; OpenAI harmony format.
"""

from __future__ import annotations

import re
from typing import Final

from dispatcher.dialogue.markup_patterns import (
    BLOCKS,
    HEADER,
    LONGEST_MARK,
    MARK,
    UNFINISHED,
    Block,
    message_block,
)
from dispatcher.dialogue.reasoning_filter import ReasoningFilter
from dispatcher.dialogue.written_calls import JsonEnd, calls_of, read_calls, read_value

# A call is shorter; of a longer one, the rest is dropped, so that memory and time stay bounded.
MAX_CALL_CHARACTERS: Final = 16_000


class ReplyMarkup:
    """Filter of one reply.

    The text is outside of any mark, inside of an open block, or inside of a JSON value.

    Attributes:
        calls: the tool calls written so far.
    """

    def __init__(self, *, starts_thinking: bool = False) -> None:
        """Begin with a new reply.

        Args:
            starts_thinking: all text up to the first closing tag is reasoning, if there is such a tag.
        """
        self._reply = ReasoningFilter(starts_thinking=starts_thinking)
        self.calls = self._reply.calls
        self._text = ""
        self._block: Block | None = None
        self._opening = ""
        self._searched = 0
        self._json: JsonEnd | None = None

    @property
    def is_hiding(self) -> bool:
        """Whether what comes now is, or may be, no text of the reply."""
        return self._block is not None or self._json is not None or self._reply.is_holding

    @property
    def has_reasoning(self) -> bool:
        """Whether some of the text was reasoning."""
        return self._reply.has_reasoning

    @property
    def lacks_opening(self) -> bool:
        """Whether reasoning ended that was never opened."""
        return self._reply.lacks_opening

    def feed(self, text: str) -> str:
        """Return the text that is certain to be of the reply."""
        self._text += text
        while self._step():
            pass
        return self._reply.take()

    def finish(self, *, is_cut: bool = False) -> str:
        """Return the rest, when the reply has ended; what is still open ends with it.

        Args:
            is_cut: the reply was cut short: held text is reasoning that has no end.
        """
        rest, self._text = self._text, ""
        if self._block is not None:
            self._close_block(self._block, rest, "")
        elif self._json is not None:
            self._close_json(rest)
        elif not _is_half_a_mark(rest):
            self._reply.add(rest)
        self._reply.finish(is_cut=is_cut)
        return self._reply.take()

    def accept_text(self) -> None:
        """Hold nothing any more: reasoning came by another way, so text is the reply."""
        self._reply.release()

    def _step(self) -> bool:
        """Take one part off the text; return whether there may be another one."""
        if self._block is not None:
            return self._step_block(self._block)
        if self._json is not None:
            end = self._json.find(self._text)
            if not end and len(self._text) <= MAX_CALL_CHARACTERS:
                return False
            end = end or len(self._text)
            value, self._text = self._text[:end], self._text[end:]
            self._close_json(value)
            return bool(self._text)
        mark = MARK.search(self._text)
        if mark is None:
            unfinished = UNFINISHED.search(self._text, max(0, len(self._text) - LONGEST_MARK))
            end = unfinished.start() if unfinished else len(self._text)
            self._reply.add(self._text[:end])
            self._text = self._text[end:]
            return False
        self._reply.add(self._text[: mark.start()])
        self._text = self._text[mark.end() :]
        self._take_mark(mark)
        return True

    def _take_mark(self, mark: re.Match[str]) -> None:
        kind, text = str(mark.lastgroup), mark[0]
        if kind == "json":
            self._text = text + self._text
            self._json = JsonEnd()
            return
        self._reply.has_marks = True
        if kind == "close":
            self._reply.end_reasoning(was_opened=False)
        elif kind in BLOCKS:
            if BLOCKS[kind].kind == "reasoning":
                self._reply.open_reasoning()
            self._block, self._opening, self._searched = BLOCKS[kind], text, 0

    def _step_block(self, block: Block) -> bool:
        """Close a block at its closing mark; else keep of it what is needed: a call, or half of a mark."""
        close = block.closes.search(self._text, self._searched)
        if close is not None:
            inside, self._text = self._text[: close.start()], self._text[close.end() :]
            self._close_block(block, inside, close[0])
            return True
        self._searched = max(0, len(self._text) - LONGEST_MARK)
        if block.kind != "call" or len(self._text) > MAX_CALL_CHARACTERS:
            dropped, self._text = self._text[: self._searched], self._text[self._searched :]
            if block.is_text_too:
                self._reply.add(self._opening + dropped)
            self._block, self._opening, self._searched = None if block.is_text_too else block, "", 0
        return False

    def _close_block(self, block: Block, inside: str, closing: str) -> None:
        opening = self._opening
        self._block, self._opening, self._searched = None, "", 0
        if block is HEADER:
            self._block, self._opening = message_block(opening + inside), opening + inside
        elif block.kind == "reasoning":
            self._reply.end_reasoning(was_opened=True)
        elif block.kind == "call":
            whole = opening + inside + closing
            found = read_calls(whole)
            self.calls.extend(found)
            if not found and block.is_text_too:
                self._reply.add(whole)

    def _close_json(self, text: str) -> None:
        self._json = None
        found = calls_of(read_value(text))
        self.calls.extend(found)
        if not found:
            self._reply.add(text)


def _is_half_a_mark(text: str) -> bool:
    return len(text) > 2 and text[0] in "<◁"
