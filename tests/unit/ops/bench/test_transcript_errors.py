from __future__ import annotations

import pytest

from dispatcher.bundled.engines import SpokenLanguage
from dispatcher.ops.bench.everyday_sentences import SENTENCES
from dispatcher.ops.bench.transcript_errors import ComparedSentence, comparable, edit_distance, error_ratio


@pytest.mark.parametrize(
    ("spoken", "transcript", "language"),
    [
        ("现在是下午3点25分。", "现在是下午三点二十五分", "zh"),
        ("两百元，打八折", "200元打8折", "zh"),
        ("音量调到百分之三十。", "音量調到30%", "zh"),
        ("电话是13800138000。", "电话是一三八零零一三八零零零", "zh"),
        ("现在是3点25分，还有2张票。", "現在是三點二十五分,還有两張票", "zh"),
        ("It is 3:25.", "it is three twenty-five", "en"),
        ("It is 10:30.", "It is 10.30.", "en"),
        ("Her number is 555 0138.", "Her number is 5550 138.", "en"),
        ("Her number is 555 0138.", "her number is five five five oh one three eight", "en"),
        ("Today is November 30, 2026.", "Today is November 30th, twenty twenty six", "en"),
        ("Apples are three dollars.", "Apples are $3.", "en"),
        ("Mister Brown's volume is at thirty percent", "Mr. Browns volume is at 30%", "en"),
    ],
)
def test_a_number_written_in_another_way_is_no_error(
    spoken: str, transcript: str, language: SpokenLanguage
) -> None:
    assert ComparedSentence.of(spoken, transcript, language).errors == 0


@pytest.mark.parametrize(
    ("spoken", "transcript", "language", "errors", "length"),
    [
        ("今天很好。", "今天不好", "zh", 1, 4),
        ("今天很好。", "", "zh", 4, 4),
        ("It is late.", "It is not late", "en", 1, 3),
        ("It is 3:25.", "It is 3:26.", "en", 1, 5),
    ],
)
def test_wrong_missing_and_added_ones_are_counted(
    spoken: str, transcript: str, language: SpokenLanguage, errors: int, length: int
) -> None:
    sentence = ComparedSentence.of(spoken, transcript, language)
    assert (sentence.errors, sentence.length) == (errors, length)


def test_the_ratio_is_over_all_words_not_over_sentences() -> None:
    transcript = [ComparedSentence.of("a b c", "a b c", "en"), ComparedSentence.of("d", "e", "en")]
    assert error_ratio(transcript) == pytest.approx(0.25)
    assert error_ratio([]) == 0


def test_the_distance_is_that_of_levenshtein() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3


@pytest.mark.parametrize("language", ["zh", "en"])
def test_there_are_forty_different_sentences_with_numbers(language: SpokenLanguage) -> None:
    sentences = SENTENCES[language]
    assert len(set(sentences)) == 40
    assert sum(any(sign.isdigit() for sign in each) for each in sentences) >= 8
    assert all(comparable(each, language) for each in sentences)
