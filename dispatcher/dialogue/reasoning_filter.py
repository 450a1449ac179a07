"""Reasoning without an opening mark: text is held while it may be reasoning, then dropped or given."""

from __future__ import annotations

from typing import Final

from dispatcher.dialogue.markup_patterns import BARE_HARMONY_END, thought_likeness
from dispatcher.dialogue.written_calls import WrittenCall

# Reasoning is longer at times; what is held of it is only needed where it turns out to be the reply.
MAX_HELD_CHARACTERS: Final = 64_000


class ReasoningFilter:
    """Text of one reply without its reasoning.

    | state (`_holds`) | text |
    | --- | --- |
    | None | held until its first words tell whether it is reasoning |
    | True | held until the reasoning ends |
    | False | given at once |

    Attributes:
        calls: tool calls that were written outside of reasoning.
        has_reasoning: some of the text was reasoning.
        lacks_opening: reasoning ended that was never opened.
        has_marks: marks were taken out, so that white space at the beginning goes too.
    """

    def __init__(self, *, starts_thinking: bool = False) -> None:
        """Begin with a new reply; one that starts thinking is reasoning up to its first closing mark."""
        self.calls: list[WrittenCall] = []
        self.has_reasoning = False
        self.lacks_opening = False
        self.has_marks = False
        self._holds: bool | None = True if starts_thinking else None
        self._held = ""
        self._given: list[str] = []
        self._is_at_start = True

    @property
    def is_holding(self) -> bool:
        """Whether the text that comes now is, or may be, reasoning."""
        return self._holds is True

    def take(self) -> str:
        """Return the text that is certain to be of the reply since the last time."""
        given, self._given = "".join(self._given), []
        if self._is_at_start and self.has_marks:
            given = given.lstrip()
        self._is_at_start = self._is_at_start and not given.strip()
        return given

    def add(self, text: str) -> None:
        """Take in text between marks."""
        if self._holds is False:
            self._given.append(text)
            return
        self._held += text
        if self._holds is None:
            self._holds = thought_likeness(self._held)
        if self._holds is False:
            self.release()
            return
        end = self._held.find(BARE_HARMONY_END, max(0, len(self._held) - len(text) - len(BARE_HARMONY_END)))
        if end >= 0:
            following = self._held[end + len(BARE_HARMONY_END) :]
            self.end_reasoning(was_opened=False)
            self._given.append(following)
        elif len(self._held) > MAX_HELD_CHARACTERS:
            self._drop()

    def open_reasoning(self) -> None:
        """Give held text at an opening mark, where its first words have not told what it is."""
        if self._holds is None:
            self.release()

    def end_reasoning(self, *, was_opened: bool) -> None:
        """Drop held text; of text that was given already, what the same chunk brought."""
        has_text = not self._is_at_start or bool("".join([self._held, *self._given]).strip())
        if has_text and not was_opened and not self.has_reasoning:
            self.lacks_opening = True
            self._given.clear()
            self.calls.clear()
        self._drop()
        self._holds = False

    def release(self) -> None:
        """Give held text, and hold nothing any more."""
        self._holds = False
        self._given.append(self._held)
        self._held = ""

    def finish(self, *, is_cut: bool) -> None:
        """End the reply: held text is reasoning where it was cut short or had reasoning, else the reply."""
        if self._holds and (is_cut or self.has_reasoning):
            self._drop()
        self.release()

    def _drop(self) -> None:
        self._held = ""
        self.has_reasoning = True
