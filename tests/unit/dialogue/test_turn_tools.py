"""One turn whose LLM calls tools: who may, how long the front waits, and what is never done twice."""

from __future__ import annotations

from dispatcher.dialogue.steps import Apologise, CallTool, Finish, SendAgain, Step, Subtitle
from dispatcher.dialogue.turn import Turn
from dispatcher.messages import TOOL_TIMEOUT_S, Reply
from tests.unit.dialogue.replies import audio, end, failed, play, sentence

LATE_S = 4.0


def tool(request: str = "a call", *, last: bool = False, attempt: int = 1) -> Reply:
    return Reply(turn_id="a-turn", attempt=attempt, kind="tool", text=request, last=last)


class Clock:
    """A typed turn and the time that it is told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turn = Turn(text="Hi!", now=self.now, stage_timeout_s=LATE_S)

    def gets(self, *replies: Reply) -> list[Step]:
        return [step for reply in replies for step in self.turn.on_reply(reply, self.now)]

    def waits(self, seconds: float) -> list[Step]:
        self.now += seconds
        return self.turn.on_clock(self.now)


def test_the_device_is_called_and_the_reply_goes_on() -> None:
    clock = Clock()
    assert clock.gets(tool("set it")) == [CallTool("set it")]
    clock.turn.clock.end_tool(clock.now)
    steps = clock.gets(sentence(0, "Done."), audio(0, b"a", last=True), end(1))
    assert steps == [Subtitle("Done."), play(b"a"), Finish()]


def test_a_tool_has_its_time_and_the_llm_has_its_own_after_it() -> None:
    clock = Clock()
    clock.gets(tool())
    assert clock.waits(TOOL_TIMEOUT_S + LATE_S - 0.5) == []
    clock.turn.clock.end_tool(clock.now)
    assert clock.waits(LATE_S - 0.5) == []
    assert clock.waits(1) == [Apologise("llm: no answer in time")]


def test_an_llm_that_called_a_tool_is_never_asked_again() -> None:
    clock = Clock()
    clock.gets(tool())
    clock.turn.clock.end_tool(clock.now)
    assert not any(isinstance(step, SendAgain) for step in clock.waits(LATE_S + 1))


def test_a_tool_of_a_server_is_waited_for_and_nothing_is_asked_of_the_device() -> None:
    clock = Clock()
    assert clock.gets(tool("")) == []
    assert clock.waits(TOOL_TIMEOUT_S) == []
    assert clock.gets(tool("", last=True)) == []
    assert clock.waits(LATE_S + 1) == [Apologise("llm: no answer in time")]


def test_only_the_sending_that_acts_first_acts_and_is_heard() -> None:
    clock = Clock()
    clock.waits(LATE_S)
    assert clock.gets(tool("of the first"), tool("of the second", attempt=2)) == [CallTool("of the first")]
    assert clock.gets(sentence(0, "Second.", attempt=2), audio(0, b"b", attempt=2)) == []
    assert clock.gets(sentence(0, "First."), audio(0, b"a")) == [Subtitle("First."), play(b"a")]


def test_an_llm_that_fails_after_a_tool_is_apologised_for_with_its_own_reason() -> None:
    clock = Clock()
    clock.gets(tool())
    assert clock.gets(failed("llm: llm-1 broke")) == [Apologise("llm: llm-1 broke")]
