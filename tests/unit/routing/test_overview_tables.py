"""How instances look in the tables of `dispatcher status`, and what an act on one is answered with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console
from rich.text import Text

from dispatcher.errors import StateError
from dispatcher.ops.live_status import view_or_reason
from dispatcher.ops.redis_session import explain
from dispatcher.routing.instance_report import shortage, state_sentence
from dispatcher.routing.overview import InstanceView, Overview, ServiceView
from dispatcher.routing.overview_tables import reason_text, state_text, status_view, weight_text
from tests.unit.instance_views import READY
from tests.unit.memory_redis import MemoryRedis

WELL = replace(READY, weight=4, effective_weight=4, cap=8, in_flight=2)
EJECTED = replace(WELL, state="ejected", back_in_s=65.0, failures=3, error_ratio=0.271, failed_s_ago=4.0)


def of(*instances: InstanceView) -> Overview:
    """Return an overview of LLM instances."""
    service = ServiceView(service="llm", algorithm="response_time", waiting=3, instances=instances)
    return Overview(services=(service,), queues={"llm": 7, "control": 0})


def drawn(overview: Overview, *, terminal: bool = False, width: int = 140) -> str:
    console = Console(width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    with console.capture() as capture:
        console.print(status_view(overview, Text("the figures")))
    return capture.get()


def test_a_row_tells_state_load_speed_errors_and_reason() -> None:
    (row,) = [line for line in drawn(of(EJECTED)).splitlines() if line.startswith("llm-1")]
    assert " ".join(row.split()) == (
        "llm-1 ejected, 1 min 5 s left 4 2/8 – 27.1 % 3 calls failed in a row, 4.0 s ago"
    )


def test_columns_are_there_where_any_instance_has_something_to_tell() -> None:
    measured = replace(
        WELL, priority="high", latency_ewma_ms=400, latency_p95_ms=912.4, cpu_ratio=0.254, memory_ratio=0.5
    )
    remote = replace(WELL, name="llm-2")
    heading, first, second = [" ".join(line.split()) for line in drawn(of(measured, remote)).splitlines()[:3]]
    assert heading == ("instance state priority weight in flight ewma ms p95 ms errors cpu mem last reason")
    assert first == "llm-1 ready high 4 2/8 400 912 0.0 % 25 % 50 %"
    assert second == "llm-2 ready normal 4 2/8 – – 0.0 % – –"


def test_all_columns_fit_eighty_characters() -> None:
    measured = replace(WELL, latency_ewma_ms=1400, latency_p95_ms=9124, cpu_ratio=1, memory_ratio=0.5)
    lines = drawn(of(measured), width=80).splitlines()
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= 80


def test_a_narrow_terminal_shows_what_is_wrong_below_and_cuts_nothing() -> None:
    measured = replace(EJECTED, priority="standby", effective_weight=2.78, latency_ewma_ms=1400, cpu_ratio=1)
    reason = "HTTP 500: " + "out of memory " * 10
    troubled = replace(measured, latency_p95_ms=9124, memory_ratio=0.5, last_reason=f"llm-1: {reason}")
    text = drawn(of(troubled, replace(WELL, name="llm-2")), width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "ejected, 1 min 5 s left  2.78 of 4        2/8     1400  27.1 %" in text
    (below,) = [line for line in text.splitlines() if line.startswith("llm-1  HTTP 500: out of memory")]
    assert "llm-1:" not in below


@pytest.mark.parametrize("width", [30, 40, 50, 60, 69])
def test_below_seventy_columns_whole_columns_go_and_no_name_is_cut(width: int) -> None:
    long = replace(EJECTED, name="asr-living-room", last_reason="HTTP 500", latency_p95_ms=900, cpu_ratio=0.5)
    text = drawn(of(replace(long, state="ready", back_in_s=None)), width=width)
    assert "asr-living-room" in text
    assert "…" not in text.partition("the figures")[0]


def test_the_figures_stand_between_instances_and_services() -> None:
    text = drawn(of(WELL))
    assert text.index("llm-1") < text.index("the figures") < text.index("waiting calls")


def test_queues_and_waiting_calls_have_a_row_for_each_service_and_control() -> None:
    rows = [" ".join(line.split()) for line in drawn(of(WELL)).splitlines()]
    assert rows[-2:] == ["llm response_time 7 3", "control 0"]


def test_there_are_colours_on_a_terminal_only() -> None:
    assert "\x1b[" in drawn(of(EJECTED), terminal=True)
    assert "\x1b[" not in drawn(of(EJECTED))


def test_square_brackets_of_a_reason_are_no_markup() -> None:
    assert "[Errno 111] refused" in drawn(of(replace(WELL, last_reason="[Errno 111] refused")))


def test_a_fleet_that_nobody_has_published_is_said_to_be_empty() -> None:
    assert "no instances yet" in drawn(of())


def test_a_slow_start_shows_both_weights() -> None:
    assert weight_text(WELL) == "4"
    assert weight_text(replace(WELL, effective_weight=0.4)) == "0.4 of 4"


def test_only_an_ejection_has_time_left() -> None:
    assert state_text(EJECTED) == "ejected, 1 min 5 s left"
    assert state_text(replace(EJECTED, state="draining")) == "draining"


@pytest.mark.parametrize(
    ("view", "text"),
    [
        (WELL, ""),
        (replace(WELL, failed_s_ago=70.0), "a call failed, 1 min 10 s ago"),
        (replace(WELL, failures=1, failed_s_ago=2.0), "1 call failed in a row, 2.0 s ago"),
        (replace(WELL, check_run=-2), "2 health checks failed in a row"),
        (replace(EJECTED, last_reason="no answer in time"), "no answer in time, 4.0 s ago"),
        (replace(EJECTED, last_reason="HTTP 500", succeeded_s_ago=1.0), "HTTP 500, 4.0 s ago"),
        (
            replace(WELL, last_reason="HTTP 500", failed_s_ago=70.0, succeeded_s_ago=80.0),
            "HTTP 500, 1 min 10 s ago",
        ),
        (replace(WELL, last_reason="HTTP 500", failed_s_ago=70.0, succeeded_s_ago=2.0), ""),
        (
            replace(WELL, last_reason="HTTP 500", failed_s_ago=70.0, succeeded_s_ago=2.0, failures=1),
            "HTTP 500, 1 min 10 s ago",
        ),
    ],
)
def test_the_reason_is_what_last_went_wrong(view: InstanceView, text: str) -> None:
    assert reason_text(view) == text


def test_an_act_is_answered_with_the_state_that_it_left() -> None:
    assert state_sentence(replace(WELL, state="draining")).startswith(
        "llm-1 is draining: 2 of 8 slots in use"
    )
    assert state_sentence(replace(EJECTED, state="draining")).startswith("llm-1 is draining and ejected: ")
    assert "no new calls for 1 min 5 s" in state_sentence(EJECTED)
    assert state_sentence(WELL) == "llm-1 is ready: 2 of 8 slots in use"
    assert "over ten seconds" in state_sentence(replace(WELL, state="slow start"))
    assert "only probed, beside other calls" in state_sentence(replace(WELL, state="slow"))


def test_a_service_without_usable_instances_is_warned_of() -> None:
    drained = replace(WELL, name="llm-2", state="draining")
    speaker = replace(WELL, name="tts-1", service="tts")
    assert shortage(drained, [WELL, drained]) == ""
    assert "every call fails" in shortage(drained, [drained, speaker])
    assert "tried all the same" in shortage(EJECTED, [EJECTED, drained])


async def test_a_redis_that_goes_away_during_a_watch_is_shown_instead_of_the_table() -> None:
    memory = MemoryRedis()
    memory.away = True
    redis = memory.redis()
    shown = await view_or_reason(redis, "redis://:secret@broker.lan:6400/0")
    assert str(shown).startswith("no Redis answers at broker.lan:6400; ")
    await redis.close()


def test_an_answer_that_redis_refuses_is_told_as_it_is() -> None:
    assert explain(StateError("redis: WRONGTYPE"), "redis://127.0.0.1") == "redis: WRONGTYPE"
