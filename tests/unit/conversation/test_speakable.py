"""What of a written reply is spoken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.conversation.speakable import speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Plain text, with a mark.", "Plain text, with a mark."),
        ("**bold**, *italic*, ***both***, __bold__ and _italic_", "bold, italic, both, bold and italic"),
        ("**5** apples and *6* pears", "5 apples and 6 pears"),
        ("half of **a pair.", "half of a pair."),
        ("`code` and ~~gone~~", "code and gone"),
        ("## A heading", "A heading"),
        ("> quoted", "quoted"),
        ("- an item", "an item"),
        ("- [x] a task", "a task"),
        ("看[文档](https://example.com/docs)吧。", "看文档吧。"),
        ("see ![a picture](pic.png 'its title') here", "see a picture here"),
        ("docs](https://example.com/a) say", "docs say"),
        ("go to https://www.example.com/a/b?c=1, please", "go to example.com, please"),
        ("go to <https://example.com>.", "go to example.com."),
        ("看https://example.com吧", "看example.com吧"),
        ("a<br>b <b>c</b>", "ab c"),
        ("| a | b |", "a b"),
        ("Great 👍🏽! Yes 😀.", "Great! Yes."),
        ("好的 👍 。", "好的。"),
        ("👨\u200d👩\u200d👧 family ❤\ufe0f 1\ufe0f\u20e3", "family 1"),
    ],
)
def test_markup_emoji_and_addresses_are_not_spoken(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@pytest.mark.parametrize(
    "text", ["2*3 is 6", "3 * 4 is 12", "snake_case", "a - b", "5 > 4", "don't", "C# and F#"]
)
def test_signs_that_are_no_markup_stay(text: str) -> None:
    assert speakable(text) == text


def test_lines_are_joined_with_a_pause() -> None:
    assert speakable("# Fruits\n- Apples\n- Pears,\n\n1. Plums!\nThat is all") == (
        "Fruits. Apples. Pears, 1. Plums! That is all"
    )
    assert speakable("水果\n- 苹果\n- 香蕉。\n橘子") == "水果。苹果。香蕉。橘子"


def test_fences_rules_and_table_lines_are_not_spoken() -> None:
    assert speakable("```python\nx = 1\n```\n---\n| a |\n|---|\n| b |") == "x = 1. a. b"


@pytest.mark.parametrize("written", ["", "  \n", "👍", "...", "---", "**", "![](x.png)"])
def test_text_with_nothing_to_say_is_empty(written: str) -> None:
    assert speakable(written) == ""


@given(st.text(alphabet="ab 3.,!*_`#-[]()<>|~你。\n😀", max_size=60))
def test_only_letters_and_digits_inside_markup_are_ever_dropped(written: str) -> None:
    spoken = speakable(written)
    assert "\n" not in spoken
    assert "  " not in spoken
    remaining = iter(written)
    assert all(character in remaining for character in spoken if character.isalnum())


@given(st.text(alphabet="ab 3.,!#-~你。，\n", max_size=60))
def test_words_without_links_and_tags_are_all_spoken(written: str) -> None:
    letters = [character for character in written if character.isalnum()]
    assert [character for character in speakable(written) if character.isalnum()] == letters
