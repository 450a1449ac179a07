"""The parts of our own that stand before Flower: the door, and the watch on who comes in."""

from __future__ import annotations

import base64

import pytest

from config.flower.door import LeaseRequest, is_watching
from config.flower.watch import TIMES_OFF, Watch

IDLE_S = 300.0


class Workers:
    """What the workers were told, and a clock."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.now_s = 1000.0
        self.away = False
        self.watch = Watch(
            enable=lambda: self.hear("on"),
            disable=lambda: self.hear("off"),
            idle_s=IDLE_S,
            broker_errors=(ConnectionError,),
            clock=lambda: self.now_s,
        )

    def hear(self, word: str) -> None:
        if self.away:
            raise ConnectionError("refused")
        self.told.append(word)

    def steps(self, count: int = 1, *, after_s: float = 0.0) -> list[str]:
        """Return what they are told in the next steps."""
        self.told.clear()
        self.now_s += after_s
        for _ in range(count):
            self.watch.step()
        return list(self.told)


@pytest.fixture
def workers() -> Workers:
    return Workers()


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_the_door_opens_to_user_and_password() -> None:
    assert LeaseRequest("open sesame").opens_to(basic("operator:open sesame"))
    assert LeaseRequest("with:colon").opens_to(basic("operator:with:colon").replace("Basic", "basic"))


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Bearer b3BlcmF0b3I6b3BlbiBzZXNhbWU=",
        basic("operator:open"),
        basic("operator:öpen"),
        basic("admin:open sesame"),
        basic("open sesame"),
    ],
)
def test_the_door_stays_shut_to_all_else(said: str | None) -> None:
    assert not LeaseRequest("open sesame").opens_to(said)


@pytest.mark.parametrize("path", ["/healthcheck", "/metrics", "/static/js/flower.js"])
def test_probes_and_scrapers_do_not_watch(path: str) -> None:
    assert not is_watching(path)


@pytest.mark.parametrize("path", ["/", "/tasks", "/tasks/datatable", "/api/tasks", "/worker/llm@here"])
def test_people_and_the_api_do(path: str) -> None:
    assert is_watching(path)


def test_a_start_turns_off_what_a_killed_flower_left_on(workers: Workers) -> None:
    assert workers.steps(TIMES_OFF + 2) == ["off"] * TIMES_OFF


def test_events_are_on_while_requests_come_and_are_asked_for_again_for_new_workers(workers: Workers) -> None:
    workers.watch.note_request()
    assert workers.steps(2) == ["on", "on"]
    assert workers.steps(after_s=IDLE_S - 1) == ["on"]
    workers.watch.note_request()
    assert workers.steps(after_s=IDLE_S - 1) == ["on"]


def test_events_are_off_once_nobody_watches(workers: Workers) -> None:
    workers.watch.note_request()
    workers.steps()
    assert workers.steps(TIMES_OFF + 2, after_s=IDLE_S) == ["off"] * TIMES_OFF


def test_a_broker_that_is_away_is_told_when_it_is_back(workers: Workers) -> None:
    workers.away = True
    assert workers.steps(5) == []
    workers.away = False
    assert workers.steps(TIMES_OFF) == ["off"] * TIMES_OFF


def test_the_end_turns_events_off(workers: Workers) -> None:
    workers.watch.note_request()
    workers.steps()
    workers.told.clear()
    workers.watch.end()
    assert workers.told == ["off"]
