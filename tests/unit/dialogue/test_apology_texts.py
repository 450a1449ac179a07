"""Texts of the apologies: every kind in every language, each a whole sentence."""

from __future__ import annotations

from typing import get_args

from dispatcher.dialogue.apology_texts import APOLOGIES, Kind, kind_of
from dispatcher.messages import Language


def test_every_kind_of_apology_is_said_in_every_language_as_a_whole_sentence() -> None:
    spoken = set(get_args(Language)) - {"auto"}
    assert set(APOLOGIES) == {(kind, language) for kind in get_args(Kind) for language in spoken}
    assert all(text.endswith((".", "。")) for text in APOLOGIES.values())


def test_a_budget_that_is_used_up_has_a_phrase_of_its_own() -> None:
    assert kind_of("BudgetSpent", is_tool_done=False) == "spent"
    assert kind_of("InstanceFailed", is_tool_done=False) == "sorry"
    assert kind_of("", is_tool_done=False) == "sorry"
    assert kind_of("BudgetSpent", is_tool_done=True) == "done"
