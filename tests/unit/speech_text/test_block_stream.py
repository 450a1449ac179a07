"""Code and formulas are taken out of a reply while it streams."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.dialogue.sentences import SentenceSplitter
from dispatcher.speech_text.block_stream import BlockStream
from dispatcher.speech_text.cleaner import clean

REPLY = st.lists(
    st.sampled_from([
        *"ab 5.,`~$\\({[<!->\n你。",
        "```", "```py\n", "~~~", "\n~~~\n", "$$", "$", "$5", "\\(", "\\)", "\\[", "\\]", "x^2", "<!--", "-->",
        "\\begin{a}", "\\end{a}", "```markdown\n", "\n```\n", "a long word ", "\n\n",
    ]),
    max_size=40,
).map("".join)  # fmt: skip


def streamed(text: str, cuts: list[int]) -> str:
    stream = BlockStream()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return "".join(stream.feed(text[start:end]) for start, end in pairwise(edges)) + stream.finish()


@given(text=REPLY, cuts=st.lists(st.integers(0, 200)))
def test_the_text_is_the_same_however_the_reply_was_chunked(text: str, cuts: list[int]) -> None:
    assert streamed(text, cuts) == streamed(text, []) == streamed(text, list(range(len(text))))


@given(st.text(alphabet="abc 你好。,.\n*_[]()!", max_size=80))
def test_text_without_code_and_formulas_passes_at_once(text: str) -> None:
    stream = BlockStream()
    assert stream.feed(text) == text
    assert stream.finish() == ""


def test_what_closes_on_one_line_may_come_sign_by_sign() -> None:
    text = "use ```ls``` or $x$ now"
    assert streamed(text, list(range(len(text)))) == "use ls or x now"


def test_tildes_inside_a_line_open_no_fence() -> None:
    assert streamed("好的~~~\n", [2]) == "好的~~~\n"


def sentences(text: str) -> list[str]:
    blocks, splitter = BlockStream(), SentenceSplitter()
    pieces = [piece for each in text for piece in splitter.feed(blocks.feed(each))]
    pieces += splitter.feed(blocks.finish()) + splitter.finish()
    return [spoken for spoken in map(clean, pieces) if spoken]


def test_code_with_many_sentences_is_never_read_aloud() -> None:
    code = 'print("Hello. How are you? Fine.")\n# Wait! What?\n\nx = 1\n' * 5
    assert sentences(f"You can do it like this.\n```python\n{code}```\nThat is all of it now.") == [
        "You can do it like this.",
        "See the text for the code.",
        "That is all of it now.",
    ]
    assert sentences(f"可以这样写，代码如下：\n```\n{code}```\n是不是很简单呢？") == [
        "可以这样写，代码如下：",
        "代码请看屏幕。是不是很简单呢？",
    ]


def test_a_formula_over_several_lines_is_one() -> None:
    assert sentences("The rule is this one here:\n$$\nE = m\nc^2\n$$\nIt is famous.") == [
        "The rule is this one here:",
        "E = m c². It is famous.",
    ]


@pytest.mark.parametrize("opener", ["$$", "\\[", "\\begin{align}"])
def test_a_formula_without_end_is_not_held_for_ever(opener: str) -> None:
    stream = BlockStream()
    assert stream.feed(opener + "x = y + " * 100) == "See the text for the formula.\n"
    assert stream.feed("more of it" * 100) == stream.finish() == ""


def test_a_sign_that_opens_nothing_is_not_held_for_ever() -> None:
    stream = BlockStream()
    assert "$" in stream.feed("$" + "word " * 30)
    assert stream.feed("``` " + "word " * 120).startswith("```")


def test_a_price_does_not_wait_for_the_end_of_a_formula() -> None:
    assert BlockStream().feed("It costs $5 today") == "It costs $5 today"
    assert BlockStream().feed("It costs $") == "It costs "


def test_a_number_with_a_sign_behind_it_begins_a_formula() -> None:
    assert BlockStream().feed("It is $5+3$ today") == "It is 5+3 today"
