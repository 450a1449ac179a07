"""Models whose replies begin with reasoning that has no opening tag: it stands in the template's prompt.

By the name of a model this is expected until a reply shows that it is not so; by a reply it is learned.
"""

from __future__ import annotations

import re
from typing import Final

from dispatcher.catalogue.model import Instance
from dispatcher.providers.llm.reply_reader import DeltaReader
from dispatcher.providers.negotiation import RefusedParameters, fingerprint

# How it is called where it is learned of an instance.
OPENING_TAG: Final = "<think>"
_REASON: Final = "its replies begin with reasoning and have only the closing tag"
_KNOWN: Final = re.compile(
    r"deepseek-?r1|\br1\b|qwq|(?<!no)(?<!no[-_])(?<!non[-_])thinking|reasoner|glm-z1|minimax-?m[1-9]|exaone-deep|[-_]think\b",
    re.IGNORECASE,
)


class UntaggedThinking:
    """What one provider knows of its instances."""

    def __init__(self, refused: RefusedParameters) -> None:
        """Keep what is learned where all processes see it."""
        self._refused = refused
        self._tagged: set[str] = set()

    def is_expected(self, instance: Instance) -> bool:
        """Return whether the text of a reply is to be held until its reasoning ends."""
        if fingerprint(instance) in self._tagged:
            return False
        is_known = instance.thinking != "off" and bool(_KNOWN.search(instance.model or ""))
        return is_known or OPENING_TAG in self._refused.of(instance.name)

    def learn(self, instance: Instance, reader: DeltaReader) -> None:
        """Take in how a whole reply was written."""
        if reader.markup.lacks_opening and not reader.has_reasoning:
            self._tagged.discard(fingerprint(instance))
            if OPENING_TAG not in self._refused.of(instance.name):
                self._refused.learn(instance, OPENING_TAG, _REASON, event="replies begin without <think>")
        elif reader.has_text and reader.end != "length":
            self._tagged.add(fingerprint(instance))
