from __future__ import annotations

from dataclasses import dataclass

import pytest

from dispatcher.bundled.engine_options import at_least, read_options
from dispatcher.bundled.registry import ENGINES, default_engine, prepare
from dispatcher.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Kettle:
    cups: int = at_least(1, default=4)
    heat_s: float = at_least(0, default=2.5)
    whistle: bool = True
    name: str = "kettle"


def test_what_is_not_given_keeps_its_default() -> None:
    assert read_options(Kettle, {}) == Kettle()


def test_values_are_read_by_their_type() -> None:
    given = {"cups": "2", "heat_s": "0.5", "whistle": "off", "name": "Anna"}
    assert read_options(Kettle, given) == Kettle(cups=2, heat_s=0.5, whistle=False, name="Anna")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("cups", "two", "a whole number of at least 1"),
        ("cups", "0", "a whole number of at least 1"),
        ("heat_s", "nan", "a number of at least 0"),
        ("whistle", "maybe", "on or off"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(name: str, value: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_options(Kettle, {name: value})
    assert caught.value.problems == [f"--set {name}={value}: expected {expected}"]


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_options(Kettle, {"cups": "x", "spoon": "1"})
    assert caught.value.problems == [
        "--set cups=x: expected a whole number of at least 1",
        "--set spoon=1: unknown; the options here are cups, heat_s, whistle, name",
    ]


def test_an_unknown_engine_is_told_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="--engine loud: expected voices, edge or timed for tts"):
        prepare("tts", "loud", {})


@pytest.mark.parametrize(("service", "engine"), [("asr", "whisper"), ("llm", "assistant"), ("tts", "voices")])
def test_the_real_engine_of_a_service_is_its_default(service: str, engine: str) -> None:
    assert default_engine(service) == engine  # type: ignore[arg-type]


@pytest.mark.parametrize(("service", "engine"), [(s, e) for s, engines in ENGINES.items() for e in engines])
def test_every_engine_refuses_an_option_it_does_not_have(service: str, engine: str) -> None:
    with pytest.raises(ConfigError, match="--set colour=blue: unknown"):
        prepare(service, engine, {"colour": "blue"})  # type: ignore[arg-type]
