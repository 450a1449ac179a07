"""Bench of prefixes: what it compares, and what it says without its packages."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from dispatcher.cli.bench import bench
from dispatcher.dialogue.history import Message
from dispatcher.errors import StartError
from dispatcher.ops.bench import llama_server
from dispatcher.ops.bench.prefix_bench import gain_of, prefix_table
from dispatcher.ops.bench.prefix_talk import HISTORY_TOKENS, WAYS, PrefixTimes, cut_in_halves, cut_one_by_one

EXCHANGE = [Message(role="user", content="q" * 80), Message(role="assistant", content="a" * 80)]
TALK = [*EXCHANGE] * (HISTORY_TOKENS // 40)


def test_the_gain_is_that_of_the_mean_of_later_turns() -> None:
    plain = PrefixTimes(first_turns=[900], later_turns=[800, 900, 1000])
    kept = PrefixTimes(first_turns=[900], later_turns=[100, 90, 110], prompt_tokens=10, cached_tokens=9)
    assert gain_of(plain, kept) == 9
    assert prefix_table(WAYS, plain, kept).row_count == 6
    assert (plain.cached_ratio, kept.cached_ratio) == (0, 0.9)


def test_one_way_cuts_an_exchange_at_each_turn_and_the_other_one_half() -> None:
    later = [*TALK, *EXCHANGE]
    assert cut_one_by_one("p", TALK, "next")[1] is TALK[0]
    assert len(cut_one_by_one("p", later, "next")) == len(TALK) + 2
    assert len(cut_in_halves("p", later, "next")) <= len(TALK) // 2 + 2


def test_missing_packages_are_named_in_clear_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama_server, "PACKAGES", ("xllamacpp", "no_such_package"))
    result = CliRunner().invoke(bench, ["prefix"])
    assert isinstance(result.exception, StartError)
    assert str(result.exception) == "no llama.cpp server here: pip install no-such-package"
