"""A phrase cache without a server, that answers as a test wants it."""

from __future__ import annotations

from typing import Any

from dispatcher.dialogue.phrases import SpokenPhrase
from dispatcher.dialogue_store.phrase_cache import Finding, FoundPhrase, MadePhrase


class FakePhrases:
    """A phrase cache whose findings are the test's.

    Attributes:
        findings: the next answers; "pass" where there is none.
        asked: (text, whether it may be made) of each question.
        stored: (text, packets, speaker) of each phrase that was kept.
        given_up: texts that were left to others.
    """

    def __init__(self, *findings: Finding, packed: bytes = b"") -> None:
        """Answer these in their order; a hit has these packets."""
        self.findings = list(findings)
        self.packed = packed
        self.asked: list[tuple[str, bool]] = []
        self.stored: list[tuple[str, bytes, str]] = []
        self.given_up: list[str] = []

    async def find(self, phrase: SpokenPhrase, *_: Any, may_make: bool = False) -> FoundPhrase:
        """Answer as the test wants it."""
        self.asked.append((phrase.text, may_make))
        finding = self.findings.pop(0) if self.findings else "pass"
        return FoundPhrase(
            finding=finding,
            packed=self.packed if finding == "hit" else b"",
            ms=0.5,
            token="token" if finding == "mine" else "",
        )

    async def store(self, made: MadePhrase, *_: Any) -> bool:
        """Keep a phrase."""
        assert made.took_ms >= 0
        self.stored.append((made.phrase.text, made.packed, made.speaker.voice or ""))
        return True

    def give_up(self, phrase: SpokenPhrase, *_: Any, token: str) -> None:
        """Note a phrase that was not made."""
        assert token
        self.given_up.append(phrase.text)
