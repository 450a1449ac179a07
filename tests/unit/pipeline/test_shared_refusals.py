from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from dispatcher.pipeline.shared_refusals import SharedRefusals
from dispatcher.providers.negotiation import RefusedParameters, fingerprint
from tests.support.fleet import catalogue_of, llm


class WritesOnly:
    """A client that notes which commands were sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    def send_nowait(self, *command: Any) -> None:
        self.sent.append(command)


async def test_a_refusal_is_written_with_the_fingerprint_of_its_line_and_dropped_with_it() -> None:
    redis, refused = WritesOnly(), RefusedParameters()
    live = SimpleNamespace(current=catalogue_of("round_robin", [llm("A"), llm("B")]))
    refusals = SharedRefusals(cast("Any", redis), cast("Any", live), refused)
    refusals.drop_changed()
    for name in ("A", "B"):
        refused.learn(llm(name), "tools", "HTTP 400: no")
    assert redis.sent[0][:2] == ("HSET", "refused:A")
    assert redis.sent[0][2] == f"{fingerprint(llm('A'))}:tools"

    live.current = catalogue_of("round_robin", [replace(llm("A"), model="another"), llm("B")])
    refusals.drop_changed()
    assert ["tools" in refused.of(name) for name in ("A", "B")] == [False, True]
