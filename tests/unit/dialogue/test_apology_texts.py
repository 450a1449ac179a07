"""Texts of the apologies: every kind in every language, each a whole sentence."""

from __future__ import annotations

from typing import get_args

from dispatcher.dialogue.apology_texts import APOLOGIES, Kind
from dispatcher.messages import Language


def test_every_kind_of_apology_is_said_in_every_language_as_a_whole_sentence() -> None:
    spoken = set(get_args(Language)) - {"auto"}
    assert set(APOLOGIES) == {(kind, language) for kind in get_args(Kind) for language in spoken}
    assert all(text.endswith((".", "。")) for text in APOLOGIES.values())
