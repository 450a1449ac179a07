"""Negotiations of one call, against an instance that refuses what a test lists."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from dispatcher.catalogue.model import Instance
from dispatcher.errors import InstanceError, InstanceFailed, InstanceRefused
from dispatcher.providers.negotiation import Negotiation, RefusedParameters, parameter

INSTANCE = Instance(service="llm", name="llm-1", endpoint="http://llm/v1")
FORMATS = [parameter("format", each, shown=True) for each in ("pcm", "wav")]
THINKING = [parameter("thinking", value=False)]


@dataclass
class Call:
    """One call; each request fails with the next error until none is left.

    Attributes:
        sent: the optional parameters of each request.
    """

    errors: list[InstanceError]
    accepts_first: bool = False
    guesses: int = 0
    refused: RefusedParameters = field(default_factory=RefusedParameters)
    sent: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.negotiation = Negotiation(self.refused, INSTANCE, [FORMATS, THINKING], guesses=self.guesses)

    async def request(self) -> AsyncGenerator[str, None]:
        self.sent.append(self.negotiation.fields)
        if self.accepts_first:
            self.negotiation.accept()
            yield "begun"
        if self.errors:
            raise self.errors.pop(0)
        self.negotiation.accept()
        yield "done"

    async def run(self) -> list[str]:
        return [piece async for piece in self.negotiation.run(self.request)]


def refuses(words: str) -> InstanceError:
    return InstanceRefused("llm-1", "HTTP 400: no", said=words)


async def test_a_request_that_is_taken_is_made_once_and_teaches_nothing() -> None:
    call = Call([])
    assert await call.run() == ["done"]
    assert call.sent == [{"format": "pcm", "thinking": False}]
    assert call.refused.of("llm-1") == {}


async def test_what_is_refused_goes_and_its_next_form_comes() -> None:
    call = Call([refuses("format pcm"), refuses("no thinking")])
    assert await call.run() == ["done"]
    assert call.sent[1:] == [{"format": "wav", "thinking": False}, {"format": "wav"}]
    assert call.refused.of("llm-1").keys() == {"format=pcm", "thinking"}


async def test_the_next_call_sends_what_the_last_one_learned() -> None:
    refused = RefusedParameters()
    await Call([refuses("thinking")], refused=refused).run()
    later = Call([], refused=refused)
    await later.run()
    assert later.sent == [{"format": "pcm"}]


@pytest.mark.parametrize(
    "error",
    [
        refuses("something else"),
        InstanceFailed("llm-1", "HTTP 502: thinking", said="thinking"),
        InstanceError("llm-1", "thinking"),
    ],
)
async def test_an_error_that_names_no_parameter_is_raised(error: InstanceError) -> None:
    call = Call([error])
    with pytest.raises(InstanceError) as raised:
        await call.run()
    assert raised.value is error
    assert call.refused.of("llm-1") == {}


async def test_so_many_guesses_are_made_and_no_more() -> None:
    call = Call([refuses("no"), refuses("no"), refuses("no")], guesses=2)
    with pytest.raises(InstanceRefused):
        await call.run()
    assert call.sent == [
        {"format": "pcm", "thinking": False},
        {"format": "wav", "thinking": False},
        {"thinking": False},
    ]


async def test_an_answer_that_has_begun_is_never_asked_for_again() -> None:
    call = Call([refuses("thinking")], accepts_first=True)
    with pytest.raises(InstanceRefused):
        await call.run()
    assert len(call.sent) == 1


async def test_what_an_answer_shows_to_be_in_the_way_is_dropped_like_a_refusal() -> None:
    call = Call([])

    async def request() -> AsyncGenerator[str, None]:
        call.sent.append(call.negotiation.fields)
        call.negotiation.drop(["thinking"], "took all tokens")
        yield ""

    assert [piece async for piece in call.negotiation.run(request)] == ["", ""]
    call.negotiation.accept()
    assert call.refused.of("llm-1")["thinking"].reason == "took all tokens"
