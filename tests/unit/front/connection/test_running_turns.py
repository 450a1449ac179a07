"""The turns of a front, as replies and the clock find them."""

from __future__ import annotations

from structlog.testing import capture_logs

from dispatcher.front.connection.running_turns import RunningTurns
from dispatcher.messages import Reply


class FakeTurn:
    """A turn whose clock may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.checks = 0

    def on_reply(self, reply: Reply) -> None:
        raise AssertionError(reply)

    def on_clock(self) -> None:
        self.checks += 1
        if self.fails:
            raise ValueError("no such stage")


def test_turns_are_counted_from_their_beginning_to_their_end() -> None:
    turns = RunningTurns()
    for turn_id in ("one", "two"):
        turns.add(turn_id, FakeTurn())

    assert [turns.remove("one"), turns.remove("one")] == [True, False]
    assert (len(turns), turns.begun) == (1, 2)


def test_a_turn_that_cannot_look_at_its_clock_does_not_stop_the_others() -> None:
    turns, broken, well = RunningTurns(), FakeTurn(fails=True), FakeTurn()
    turns.add("broken", broken)
    turns.add("well", well)

    with capture_logs() as logged:
        turns.check_late()

    assert (broken.checks, well.checks) == (1, 1)
    assert [line["event"] for line in logged] == ["turn lost its clock"]
