"""Chat template markup in a streamed reply: reasoning is dropped, written tool calls are taken out.

Text is held back only where its end may be the beginning of a mark, where it begins like JSON, and where the
reply begins like reasoning whose opening tag is missing.

Sources: xinnan-tech/xiaozhi-esp32-server #1050, #1739, #1250; semperai/amica #174; OpenAI harmony format.
"""

from __future__ import annotations

import re
from typing import Final

from dispatcher.dialogue.markup_patterns import (
    BARE_HARMONY_END,
    BLOCKS,
    HEADER,
    LONGEST_MARK,
    MARK,
    UNFINISHED,
    Block,
    message_block,
    thought_likeness,
)
from dispatcher.dialogue.written_calls import JsonEnd, WrittenCall, calls_of, read_calls, read_value

# A call is shorter; of a longer one, the rest is dropped, so that memory and time stay bounded.
MAX_CALL_CHARACTERS: Final = 16_000
# Reasoning is longer at times; what is held of it is only needed where it turns out to be the reply.
MAX_HELD_CHARACTERS: Final = 64_000


class ReplyMarkup:
    """Filter of one reply.

    Attributes:
        calls: the tool calls written so far.
        has_reasoning: some of the text was reasoning.
        lacks_opening: reasoning ended that was never opened.
    """

    def __init__(self, *, starts_thinking: bool = False) -> None:
        """Begin with a new reply.

        Args:
            starts_thinking: all text up to the first closing tag is reasoning, if there is such a tag.
        """
        self.calls: list[WrittenCall] = []
        self.has_reasoning = False
        self.lacks_opening = False
        self._text = ""
        self._searched = 0
        self._block: Block | None = None
        self._opening = ""
        self._json: JsonEnd | None = None
        # Whether all text is held until reasoning ends; None while the first words decide.
        self._holds: bool | None = True if starts_thinking else None
        self._held = ""
        self._given: list[str] = []
        self._is_at_start = True
        self._has_marks = False

    @property
    def is_hiding(self) -> bool:
        """Whether what comes now is, or may be, no text of the reply."""
        return self._block is not None or self._json is not None or self._holds is True

    def feed(self, text: str) -> str:
        """Return the text that is certain to be of the reply."""
        self._text += text
        while self._step():
            pass
        return self._take_given()

    def finish(self, *, is_cut: bool = False) -> str:
        """Return the rest, when the reply has ended; what is still open ends with it.

        Args:
            is_cut: the reply was cut short: held text is reasoning that has no end.
        """
        rest, self._text = self._text, ""
        if self._block is not None:
            self._close(self._block, rest, "")
        elif self._json is not None:
            self._take_json(rest)
        elif not _is_half_a_mark(rest):
            self._give(rest)
        if self._holds and (is_cut or self.has_reasoning):
            self._drop_held()
        self._release()
        return self._take_given()

    def accept_text(self) -> None:
        """Hold nothing any more: reasoning came by another way, so text is the reply."""
        self._release()

    def _take_given(self) -> str:
        given, self._given = "".join(self._given), []
        if self._is_at_start and self._has_marks:
            given = given.lstrip()
        self._is_at_start = self._is_at_start and not given.strip()
        return given

    def _step(self) -> bool:
        """Take one part off the text; return whether there may be another one."""
        if self._block is not None:
            return self._step_block(self._block)
        if self._json is not None:
            return self._step_json(self._json)
        mark = MARK.search(self._text)
        if mark is None:
            unfinished = UNFINISHED.search(self._text, max(0, len(self._text) - LONGEST_MARK))
            end = unfinished.start() if unfinished else len(self._text)
            self._give(self._text[:end])
            self._text = self._text[end:]
            return False
        self._give(self._text[: mark.start()])
        self._text = self._text[mark.end() :]
        self._take_mark(mark)
        return True

    def _take_mark(self, mark: re.Match[str]) -> None:
        kind, text = str(mark.lastgroup), mark[0]
        if kind == "json":
            self._text = text + self._text
            self._json = JsonEnd()
            return
        self._has_marks = True
        if kind == "close":
            self._end_reasoning(was_opened=False)
        elif kind in BLOCKS:
            if BLOCKS[kind].kind == "reasoning" and self._holds is None:
                self._release()
            self._open(BLOCKS[kind], text)

    def _open(self, block: Block | None, opening: str) -> None:
        self._block, self._opening, self._searched = block, opening, 0

    def _step_block(self, block: Block) -> bool:
        close = block.closes.search(self._text, self._searched)
        if close is None:
            self._bound(block)
            return False
        inside, self._text = self._text[: close.start()], self._text[close.end() :]
        self._close(block, inside, close[0])
        return True

    def _close(self, block: Block, inside: str, closing: str) -> None:
        opening = self._opening
        self._open(None, "")
        if block is HEADER:
            self._open(message_block(opening + inside), opening + inside)
        elif block.kind == "reasoning":
            self._end_reasoning(was_opened=True)
        elif block.kind == "call":
            whole = opening + inside + closing
            found = read_calls(whole)
            self.calls += found
            if not found and block.is_text_too:
                self._give(whole)

    def _bound(self, block: Block) -> None:
        """Keep of an open block what is still needed: a call, or half of a closing mark."""
        self._searched = max(0, len(self._text) - LONGEST_MARK)
        if block.kind == "call" and len(self._text) <= MAX_CALL_CHARACTERS:
            return
        dropped, self._text = self._text[: self._searched], self._text[self._searched :]
        if block.is_text_too:
            self._give(self._opening + dropped)
        self._open(None if block.is_text_too else block, "")

    def _step_json(self, scanner: JsonEnd) -> bool:
        end = scanner.find(self._text)
        if not end and len(self._text) <= MAX_CALL_CHARACTERS:
            return False
        end = end or len(self._text)
        value, self._text = self._text[:end], self._text[end:]
        self._take_json(value)
        return bool(self._text)

    def _take_json(self, text: str) -> None:
        self._json = None
        found = calls_of(read_value(text))
        self.calls += found
        if not found:
            self._give(text)

    def _end_reasoning(self, *, was_opened: bool) -> None:
        """Drop what was held; of text that was given already, what the same chunk brought."""
        has_text = not self._is_at_start or bool("".join([self._held, *self._given]).strip())
        if has_text and not was_opened and not self.has_reasoning:
            self.lacks_opening = True
            self._given.clear()
            self.calls.clear()
        self._drop_held()
        self._holds = False

    def _drop_held(self) -> None:
        self._held = ""
        self.has_reasoning = True

    def _give(self, text: str) -> None:
        if self._holds is False:
            self._given.append(text)
            return
        self._held += text
        if self._holds is None:
            self._holds = thought_likeness(self._held)
        if self._holds is False:
            self._release()
            return
        end = self._held.find(BARE_HARMONY_END, max(0, len(self._held) - len(text) - len(BARE_HARMONY_END)))
        if end >= 0:
            following = self._held[end + len(BARE_HARMONY_END) :]
            self._end_reasoning(was_opened=False)
            self._given.append(following)
        elif len(self._held) > MAX_HELD_CHARACTERS:
            self._drop_held()

    def _release(self) -> None:
        self._holds = False
        self._given.append(self._held)
        self._held = ""


def _is_half_a_mark(text: str) -> bool:
    return len(text) > 2 and text[0] in "<◁"
