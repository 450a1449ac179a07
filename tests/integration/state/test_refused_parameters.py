"""Parameters that instances refuse, as all workers and operators see them, in a real Valkey."""

from __future__ import annotations

import time

from dispatcher.state import keys, refused_parameters
from dispatcher.state.line import RedisLine
from dispatcher.state.overview import read_overview
from tests.support.fleet import Fleet, llm


def note(line: RedisLine, parameter: str, *, fingerprint: str = "one", until_s: float | None = None) -> None:
    until_s = time.time() + 60 if until_s is None else until_s
    refused_parameters.note(
        line, "A", fingerprint=fingerprint, parameter=parameter, reason="HTTP 400: no", until_s=until_s
    )


async def test_what_one_worker_learned_others_know_and_an_operator_sees(
    fleet: Fleet, line: RedisLine
) -> None:
    await fleet.configure("round_robin", llm("A"), llm("B"))
    note(line, "response_format=verbose_json")

    known = await refused_parameters.read(line, {"A": "one", "B": "two"})

    assert [*known] == ["A"]
    assert known["A"]["response_format=verbose_json"][0] == "HTTP 400: no"
    view = next(each for each in (await read_overview(line)).instances if each.name == "A")
    assert view.refused == {"response_format=verbose_json": "HTTP 400: no"}
    assert 0 < await line.call("TTL", keys.refused("A")) <= keys.REFUSED_TTL_S


async def test_what_was_learned_of_a_line_that_changed_or_long_ago_is_removed(line: RedisLine) -> None:
    note(line, "tools", fingerprint="before")
    note(line, "think", until_s=time.time() - 1)

    assert await refused_parameters.read(line, {"A": "after"}) == {}
    assert await line.call("EXISTS", keys.refused("A")) == 0
