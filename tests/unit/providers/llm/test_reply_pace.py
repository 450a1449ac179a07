"""When the tokens of a reply are read: each at once up to the first sentence, then several together."""

from __future__ import annotations

import pytest

from dispatcher.providers.llm import reply_reader
from tests.support.services.openai import DONE, FakeOpenAi, says


async def reply(openai: FakeOpenAi) -> list[str]:
    return [str(piece) async for piece in openai.chat()]


@pytest.mark.parametrize("first", ["It is noon. ", "现在是中午。"])
async def test_what_comes_soon_after_the_first_sentence_is_read_together(
    openai: FakeOpenAi, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    monkeypatch.setattr(reply_reader, "GATHER_INTERVAL_S", 0.01)
    words = [f"word {number} " for number in range(40)]
    openai.streams(says(first), *(says(word) for word in words), DONE)

    assert "".join(await reply(openai)) == first + "".join(words)


async def test_until_the_first_sentence_has_ended_nothing_is_waited_for(
    openai: FakeOpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_reader, "GATHER_INTERVAL_S", 3600)
    openai.streams(says("It costs 3.5 "), says("dollars, says Mr"), DONE)

    assert await reply(openai) == ["It costs 3.5 ", "dollars, says Mr"]
