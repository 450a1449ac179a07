"""Cutting a streamed reply into pieces to speak."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.dialogue.sentences import SentenceSplitter

# A first piece that is long enough, so that what follows is cut by the rules for later pieces.
OPENING = "It begins. "


def pieces_of(text: str) -> list[str]:
    splitter = SentenceSplitter()
    return splitter.feed(text) + splitter.finish()


def later_pieces_of(text: str) -> list[str]:
    first, *later = pieces_of(OPENING + text)
    assert first == OPENING.strip()
    return later


def pieces_by_character(text: str) -> list[str]:
    splitter = SentenceSplitter()
    return [piece for character in text for piece in splitter.feed(character)] + splitter.finish()


# Everything that the rules look at, and enough of the rest.
TRICKY_TEXT = st.lists(
    st.sampled_from(
        [
            *".!?。！？…,;:，、；：—\n \"'“”\u2018\u2019()（）*_`#-",
            *["a", "Dr", "no", "No", "U.S", "e.g", "p.m", "word", "3", "10", "antidisestablishment"],
            *["你", "好的", "今天天气", "😀", "👍🏽", "https://a.b/c?d=1,2"],
        ]
    ),
    max_size=80,
).map("".join)


@given(text=TRICKY_TEXT, cuts=st.lists(st.integers(0, 300)))
def test_pieces_are_the_same_however_the_reply_was_chunked(text: str, cuts: list[int]) -> None:
    splitter = SentenceSplitter()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[start:end] for start, end in pairwise(edges)]
    pieces = [piece for chunk in chunks for piece in splitter.feed(chunk)] + splitter.finish()
    assert pieces == pieces_of(text) == pieces_by_character(text)


@given(TRICKY_TEXT)
def test_no_spoken_character_is_lost(text: str) -> None:
    spoken = [character for character in "".join(pieces_of(text)) if character.isalnum()]
    assert spoken == [character for character in text if character.isalnum()]


@given(TRICKY_TEXT)
def test_every_piece_has_something_to_say(text: str) -> None:
    assert all(any(character.isalnum() for character in piece) for piece in pieces_of(text))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Hi! How are you today?", "Hi!"),
        ("你好！今天天气很好。", "你好！"),
        ("Sure, I can help you with that, but first tell me more.", "Sure, I can help you with that,"),
        ("好的，我来帮你查一下，北京今天是晴天。", "好的，我来帮你查一下，"),
        ("Well, well, let us see — and think.", "Well, well, let us see —"),
        ("今天的天气很不错——适合散步。", "今天的天气很不错——"),
    ],
)
def test_the_first_piece_is_the_first_clause_with_enough_to_say(text: str, first: str) -> None:
    assert pieces_of(text)[0] == first


def test_the_first_clause_of_a_chinese_reply_does_not_wait_for_the_next_character() -> None:
    assert SentenceSplitter().feed("我来帮你查一下，") == ["我来帮你查一下，"]


def test_a_long_beginning_without_a_mark_is_cut_between_words() -> None:
    text = "I think that the best way to do this is to go to the shop and buy whatever you need"
    first, rest = pieces_of(text)
    assert first == "I think that the best way to do this is to go to the shop"
    assert f"{first} {rest}" == text


def test_a_long_chinese_text_without_a_mark_is_cut_between_characters() -> None:
    assert [len(piece) for piece in pieces_of("苹果香蕉" * 50)] == [40, 80, 80]


def test_short_sentences_go_together_after_the_first() -> None:
    assert later_pieces_of("Yes. No! Why? It works now. Thank you very much, sir.") == [
        "Yes. No! Why? It works now.",
        "Thank you very much, sir.",
    ]


def test_a_long_sentence_is_cut_at_a_clause_mark() -> None:
    clause = "one two three four five six seven, "
    assert later_pieces_of(clause * 3 + "eight.") == [(clause * 3).strip(), "eight."]


def test_lines_are_sentences() -> None:
    assert pieces_of("Here is the list:\n1. Open the door now.\n2. Walk in and sit down.") == [
        "Here is the list:",
        "1. Open the door now.",
        "2. Walk in and sit down.",
    ]


@pytest.mark.parametrize(
    "kept",
    [
        "It costs 3.5 or 1,000 or 10:30 altogether.",
        "现在时间是10：30，温度是3.5度，共1，000个。",
        "Dr. Smith and Mrs. Jones met Prof. St. John there.",
        "Fruits, e.g. apples, i.e. red ones, in the U.S. market.",
        "The train leaves at 5 p.m. and arrives at 6 a.m. tomorrow.",
        "My house is No. 5 in Baker St. as you know.",
        "J. R. Tolkien wrote it with a pen.",
        "Look at https://example.com/a.b?c=1,2!x or www.example.com for more.",
        "Write to a.b@example.com about version 1.2.3 of it.",
        "他说：“你好。我来了！”，然后就走了。",
        "I said “hello!”, and then I went away.",
        "我认为iPhone.com和v2.0都很好。",
    ],
)
def test_a_mark_that_ends_nothing_does_not_cut(kept: str) -> None:
    assert later_pieces_of(kept + " ") == [kept]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("No. I do not think that is so.", ["No.", "I do not think that is so."]),
        ("No.\nI do not think so.", ["No.", "I do not think so."]),
        ("Wait... what is this now?", ["Wait...", "what is this now?"]),
        ("是的……也许吧", ["是的……", "也许吧"]),
        ("真的吗？！太好了", ["真的吗？！", "太好了"]),
        ("太好了!我来了?好", ["太好了!", "我来了?好"]),
        ("“你好。”他说", ["“你好。”", "他说"]),
        ('"Hello there." He left.', ['"Hello there."', "He left."]),
        ("(It is so.) Then he left.", ["(It is so.)", "Then he left."]),
        ("**Hello there.** Then he left.", ["**Hello there.**", "Then he left."]),
        ("你好。**重点**在这里", ["你好。", "**重点**在这里"]),
        ('你好。"重点"在这里', ["你好。", '"重点"在这里']),
    ],
)
def test_what_belongs_to_the_end_of_a_sentence_stays_with_it(text: str, pieces: list[str]) -> None:
    assert pieces_of(text) == pieces


def test_a_latin_mark_waits_for_what_follows_it() -> None:
    splitter = SentenceSplitter()
    assert splitter.feed("It is 3.") == []
    assert splitter.feed("5 degrees.") == []
    assert splitter.feed(" ") == ["It is 3.5 degrees."]


def test_what_cannot_be_spoken_makes_no_piece_of_its_own() -> None:
    assert pieces_of("😀 Good morning! 👍") == ["😀 Good morning!"]
    assert pieces_of("... !?\n---\n") == []


def test_a_splitter_that_has_finished_takes_a_new_reply() -> None:
    splitter = SentenceSplitter()
    text = "Hi! How are you doing today? Fine"
    first = splitter.feed(text) + splitter.finish()
    assert splitter.feed(text) + splitter.finish() == first == ["Hi!", "How are you doing today?", "Fine"]
