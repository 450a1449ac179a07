"""Chinese words for whole numbers, beside the library that is pinned for the other direction."""

from __future__ import annotations

import random

import pytest
from cn2an import an2cn

from dispatcher.speech_text.chinese_words import whole_zh


@pytest.mark.parametrize("digits", range(1, 16))
def test_whole_numbers_are_those_of_the_library_that_others_use(digits: int) -> None:
    rng = random.Random(digits)
    tens = [10 ** (digits - 1) * rng.randrange(1, 10) + 10 ** rng.randrange(digits) for _ in range(100)]
    for number in [*tens, *(rng.randrange(10 ** (digits - 1), 10**digits) for _ in range(200))]:
        if number < 10**15:
            assert whole_zh(str(number), amount=True) == said_as(an2cn(number))


def said_as(written: str) -> str:
    """Return a number as it is said, of the way in which a cheque has it."""
    said = written.removeprefix("一") if written.startswith("一十") else written
    return "两" + said[1:] if said.startswith(("二千", "二万", "二亿")) else said
