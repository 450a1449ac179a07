"""Cutting the LLM's stream into pieces to speak, while it goes on.

Where a piece ends depends only on the text up to there and, where that is needed, on what stands
right behind; so the pieces are the same however the text was chunked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from dispatcher.dialogue.break_points import Kind, place_at

# From how much speech on a piece may end at each kind of place. The measure is a CJK character = 1,
# a word = 2: about a quarter of a second of speech.
_Limits = Mapping[Kind, float]

# Six characters or three words take a good second to say: as long as an LLM and a TTS need for the
# next piece. A greeting alone is shorter, but it is a sentence, and the silence after it is natural.
_FIRST: Final[_Limits] = {"sentence": 1, "clause": 6, "space": 24, "letter": 40, "none": math.inf}
# A voice sounds better over a whole sentence, and each call has its price: short ones go together.
# 30 is some 8 s, more than is said in one breath.
_LATER: Final[_Limits] = {"sentence": 8, "clause": 30, "space": 60, "letter": 80, "none": math.inf}


class SentenceSplitter:
    """Cuts one reply into pieces; each is a sentence, or a part of a long one, as it was written.

    The first piece may be a clause, so that the device begins to speak early. Nothing but white
    space is lost between the pieces, and what cannot be spoken at the very end.
    """

    def __init__(self) -> None:
        """Begin with a new reply."""
        self._text = ""
        self._at = 0
        self._measure = 0
        self._limits = _FIRST

    def feed(self, text: str) -> list[str]:
        """Return the pieces that the text completes."""
        self._text += text
        pieces: list[str] = []
        while (end := self._next_end()) is not None:
            pieces.append(self._take(end))
        return pieces

    def finish(self) -> list[str]:
        """Return the rest, when the reply has ended; then take a new reply."""
        rest = self._take(len(self._text))
        self._limits = _FIRST
        return [rest] if any(character.isalnum() for character in rest) else []

    def _next_end(self) -> int | None:
        """Return where the piece ends, or None when that depends on text to come."""
        while self._at < len(self._text):
            place = place_at(self._text, self._at)
            if place is None:
                return None
            if self._measure >= self._limits[place.kind]:
                return place.end
            self._measure += place.weight
            self._at = place.resume
        return None

    def _take(self, end: int) -> str:
        piece, self._text = self._text[:end].strip(), self._text[end:]
        self._at = 0
        self._measure = 0
        self._limits = _LATER
        return piece
