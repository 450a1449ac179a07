from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.bundled.voices.script_runs import ScriptRun, script_runs, sentences


def runs(*pairs: tuple[str, str]) -> list[ScriptRun]:
    return [ScriptRun(language=language, text=text) for language, text in pairs]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello there.", [("en", "Hello there.")]),
        ("你好。", [("zh", "你好。")]),
        ("Hello 你好 bye.", [("en", "Hello "), ("zh", "你好 "), ("en", "bye.")]),
        ("现在是15:25。", [("zh", "现在是15:25。")]),
        ("15:25了", [("zh", "15:25了")]),
        ("It is 3:25. 你好", [("en", "It is 3:25. "), ("zh", "你好")]),
        ("iPhone 3个", [("en", "iPhone "), ("zh", "3个")]),
        ("(你好) OK", [("zh", "(你好) "), ("en", "OK")]),
        ("Zürich 和 Genève", [("en", "Zürich "), ("zh", "和 "), ("en", "Genève")]),
        ("...", []),
        ("", []),
    ],
)
def test_a_text_is_cut_where_its_writing_changes(text: str, expected: list[tuple[str, str]]) -> None:
    assert script_runs(text, default="en") == runs(*expected)


@pytest.mark.parametrize("default", ["en", "zh"])
def test_a_text_without_letters_is_read_in_the_default_language(default: str) -> None:
    assert script_runs("3:45!", default=default) == runs((default, "3:45!"))  # type: ignore[arg-type]


@given(st.text(alphabet="Hello wörld你好小智 0123.,。，:!?", max_size=60))
def test_nothing_that_can_be_said_is_lost_or_said_twice(text: str) -> None:
    spoken = "".join(run.text for run in script_runs(text, default="en"))
    kept = [character for character in text if character.isalnum()]
    assert [character for character in spoken if character.isalnum()] == kept


@given(st.text(alphabet="ab你好 12.。，,!?", max_size=80), st.integers(min_value=5, max_value=40))
def test_sentences_keep_every_word(text: str, longest: int) -> None:
    run = ScriptRun(language="en", text=text)
    spoken = "".join(piece.text for piece in sentences(run, longest=longest))
    assert [each for each in spoken if each.isalnum()] == [each for each in text if each.isalnum()]


def test_a_point_inside_a_number_ends_no_sentence() -> None:
    pieces = sentences(ScriptRun(language="en", text="It is 3.5 miles. Go!"), longest=100)
    assert [piece.text for piece in pieces] == ["It is 3.5 miles.", "Go!"]
