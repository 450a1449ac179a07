"""The line and the record of a turn."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from dispatcher.front.connection.playback import PlayoutClock
from dispatcher.front.connection.turn_report import TurnReport
from dispatcher.front.connection.turn_tasks import Utterance
from dispatcher.messages import SCREEN_TURN_SIGN, SCREEN_TURNS_VARIABLE, TurnTicket
from tests.unit.front.fakes import FakeFront, fake_front

TICKET = TurnTicket(turn_id="t", attempt=1, device_id="d", reply_stream="s", deadline_at_s=0)
SAID = Utterance(ticket=TICKET, recording=(b"\x58",))


def report_of(front: FakeFront, *, silence_ms: int = 0) -> TurnReport:
    return TurnReport(front.context, replace(SAID, silence_ms=silence_ms))


def publish(report: TurnReport, clock: PlayoutClock | None = None) -> None:
    report.publish(
        said="when?",
        sentences=["At noon."],
        clock=clock or PlayoutClock(5),
        timings={"asr_instance": "asr-1", "llm_instance": "llm-2"},
    )


async def test_marks_count_from_the_end_of_speech_and_keep_the_first_time() -> None:
    front = fake_front()
    report = report_of(front)
    for _ in range(2):
        front.clock.advance(0.25)
        report.mark("audio_ready_ms")

    assert report.marks == {"audio_ready_ms": 250.0}


async def test_the_log_line_has_outcome_marks_and_timings_but_not_what_was_said() -> None:
    front = fake_front()
    report = report_of(front)
    played = PlayoutClock(5)
    front.clock.advance(0.5)
    played.next_due_at(front.context.pacer.now())
    played.count_frame(front.context.pacer.now())
    report.reason = "the reply is long enough"

    with capture_logs() as logged:
        publish(report, played)

    (line,) = logged
    assert line["event"] == "turn finished"
    assert (line["outcome"], line["frames"], line["first_audio_ms"]) == ("answered", 1, 500.0)
    assert (line["asr_instance"], line["reason"]) == ("asr-1", "the reply is long enough")
    assert "when?" not in str(line)


async def test_the_silence_before_the_turn_is_a_time_of_its_own() -> None:
    with capture_logs() as logged:
        publish(report_of(fake_front(), silence_ms=704))
        publish(report_of(fake_front()))

    by_silence, by_button = logged
    assert by_silence["silence_ms"] == 704
    assert "silence_ms" not in by_button


async def test_the_end_of_speech_is_told_with_how_long_ago_it_was() -> None:
    front = fake_front()
    report = report_of(front, silence_ms=704)
    front.clock.advance(0.25)

    assert report.end_of_speech == {"silence_ms": 704, "speech_ended_ms_ago": 954}
    assert report_of(fake_front()).end_of_speech == {}


@pytest.mark.parametrize(("mode", "said"), [("text", "when?"), ("names", "")])
async def test_the_screen_shows_what_was_said_where_it_may(
    mode: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SCREEN_TURNS_VARIABLE, mode)

    publish(TurnReport(fake_front().context, replace(SAID, device_name="kitchen")))

    line = json.loads(capsys.readouterr().out.split(SCREEN_TURN_SIGN)[1].splitlines()[0])
    assert (line["device"], line["said"], line["instances"]) == ("kitchen", said, ["asr-1", "llm-2"])


async def test_without_a_screen_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    publish(report_of(fake_front()))

    assert SCREEN_TURN_SIGN not in capsys.readouterr().out
