"""Ports of METRICS_PORT: one for each front and worker, in the order of the Procfile."""

from __future__ import annotations

import re

import pytest

from dispatcher.errors import ConfigError
from dispatcher.settings import load_settings
from dispatcher.supervisor.banner import banner_lines
from dispatcher.supervisor.metrics_ports import assign_metrics_ports
from dispatcher.supervisor.plan import Plan
from dispatcher.supervisor.process_spec import ProcessSpec, spec_of
from dispatcher.supervisor.procfile import parse_procfile
from dispatcher.supervisor.scaled_workers import scaled_worker

PROCFILE = """
front: exec dispatcher front
asr: exec celery -A workers worker -Q asr
llm: {own}exec celery -A workers worker -Q llm
beat: exec celery -A workers beat
tts: exec celery -A workers worker -Q tts
odd: exec nice celery -A workers worker -Q tts
"""


def assigned(own: str = "", **environ: str) -> dict[str, ProcessSpec]:
    lines = parse_procfile(PROCFILE.format(own=own), source="Procfile")
    specs = assign_metrics_ports([spec_of(line, environ) for line in lines], environ)
    return {spec.name: spec for spec in specs}


def told(specs: dict[str, ProcessSpec]) -> dict[str, str | None]:
    """Return the METRICS_PORT that each process is told."""
    return {name: spec.assignments.get("METRICS_PORT") for name, spec in specs.items()}


def test_without_a_port_nothing_is_told_and_nothing_served() -> None:
    specs = assigned()
    assert set(told(specs).values()) == {None}
    assert [spec for spec in specs.values() if spec.metrics] == []


def test_fronts_and_workers_count_on_from_the_first_port_and_others_serve_nothing() -> None:
    ports = told(assigned(METRICS_PORT="9100"))
    assert ports == {"front": "9100", "asr": "9101", "llm": "9102", "beat": "0", "tts": "9103", "odd": "0"}


def test_the_port_of_a_line_is_its_own_and_moves_no_other() -> None:
    specs = assigned("METRICS_PORT=9200 ", METRICS_PORT="9100", METRICS_HOST="10.0.0.5")
    assert told(specs)["llm"] == "9200"
    assert told(specs)["tts"] == "9103"
    assert specs["llm"].metrics == ("10.0.0.5", 9200)
    assert specs["beat"].metrics is None


def test_a_line_can_serve_alone_or_be_the_only_one_that_does_not() -> None:
    alone = assigned("METRICS_PORT=9200 ")
    assert [name for name, spec in alone.items() if spec.metrics] == ["llm"]
    others = assigned("METRICS_PORT=0 ", METRICS_PORT="9100")
    assert [name for name, spec in others.items() if spec.metrics] == ["front", "asr", "tts"]


@pytest.mark.parametrize(
    ("own", "port", "problem"),
    [
        ("", "65534", "METRICS_PORT: was 65534; expected at most 65533, so that llm has a port too"),
        ("", "none", "METRICS_PORT: was 'none'; input should be a valid integer"),
        ("METRICS_PORT=70000 ", "", "METRICS_PORT: was '70000'; input should be less than"),
    ],
)
def test_a_port_that_cannot_be_is_named(own: str, port: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        assigned(own, METRICS_PORT=port)


def test_the_banner_says_where_each_of_them_is() -> None:
    specs = assigned("METRICS_PORT=0 ", METRICS_PORT="9100", METRICS_HOST="0.0.0.0")
    lines = banner_lines(Plan(specs=tuple(specs.values()), skipped=()), load_settings({}))
    (line,) = [each for each in lines if each.startswith("Metrics")]
    assert line.endswith("front 127.0.0.1:9100, asr 127.0.0.1:9101, tts 127.0.0.1:9103")


def test_a_worker_that_the_tuner_adds_wants_no_port_of_another() -> None:
    extra = scaled_worker(assigned(METRICS_PORT="9100")["llm"], 1)
    assert extra.metrics is None
    assert extra.assignments["METRICS_PORT"] == "0"
