"""Verdicts and table of the bench of phrases."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console

from dispatcher.ops.bench.phrase_bench import PhraseRun, phrase_table, problems

ANEW = PhraseRun(name="spoken anew", text_to_audio_ms=(220.0, 240.0), cached=0, failed=0, leases=2)
KEPT = PhraseRun(name="from the cache", text_to_audio_ms=(2.0, 3.0), cached=2, failed=0, leases=0)


def test_sentences_of_the_cache_that_are_quick_and_cost_no_lease_are_as_wanted() -> None:
    assert problems((ANEW, KEPT)) == []


def test_what_is_late_asked_a_tts_or_was_not_spoken_is_a_problem() -> None:
    late = replace(KEPT, text_to_audio_ms=(2.0, 30.0))
    assert problems((ANEW, late)) == ["from the cache: p95 is 30.0 ms; at most 20 expected"]
    asked = replace(KEPT, cached=1, leases=1)
    silent = replace(KEPT, text_to_audio_ms=(), cached=0, failed=2)
    assert len(problems((ANEW, asked))) == 1
    assert len(problems((ANEW, silent))) == 2


def test_the_table_shows_a_dash_where_nothing_was_spoken() -> None:
    console = Console(width=100)
    with console.capture() as shown:
        console.print(phrase_table((ANEW, replace(KEPT, text_to_audio_ms=(), cached=0, failed=2))))
    assert "220.0" in shown.get()
    assert "–" in shown.get()
