"""What an instance says of its own load, and what is not believed."""

from __future__ import annotations

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from dispatcher.errors import InstanceBusy
from dispatcher.providers import reported
from dispatcher.providers.base import Reported
from tests.unit.providers.dialect import Dialect


async def test_ratios_that_are_reported_are_taken(dialect: Dialect) -> None:
    dialect.answers('{"status": "ok", "cpu": 0.25, "memory": 1}')
    found = await dialect.provider.check(dialect.instance("llm"))
    assert found == Reported(cpu_ratio=0.25, memory_ratio=1.0)


@pytest.mark.parametrize(
    "answer", ["", "Ollama is running", "[]", "{}", '{"cpu": null}', '{"cpu_percent": 30}', "[" * 5000]
)
async def test_who_reports_nothing_is_unknown_and_not_0(dialect: Dialect, answer: str) -> None:
    dialect.answers(answer)
    with capture_logs() as logged:
        assert await dialect.provider.check(dialect.instance("llm")) == Reported()
    assert logged == []


@pytest.mark.parametrize("word", ["loading", "loading model", "Starting", "not_ready"])
async def test_a_server_that_loads_its_model_and_says_200_gets_no_calls_yet(
    dialect: Dialect, word: str
) -> None:
    dialect.answers(f'{{"status": "{word}"}}')
    with pytest.raises(InstanceBusy, match=word):
        await dialect.provider.check(dialect.instance("llm"))


@pytest.mark.parametrize("lie", ["-0.1", "1.01", "42", "NaN", "Infinity", '"0.5"', "true", "[]", "9" * 400])
async def test_a_figure_that_cannot_be_is_refused_with_a_log_line(dialect: Dialect, lie: str) -> None:
    dialect.answers(f'{{"cpu": {lie}, "memory": 0.5}}')
    with capture_logs() as logged:
        found = await dialect.provider.check(dialect.instance("llm"))
    assert found == Reported(cpu_ratio=None, memory_ratio=0.5)
    assert [(line["event"], line["field"], line["instance"]) for line in logged] == [
        ("report refused", "cpu", "llm-1")
    ]


async def test_an_answer_that_is_too_long_or_never_ends_passes_and_reports_nothing(
    dialect: Dialect, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect.answers('{"cpu": 0.5, "more": "' + "x" * reported.MAX_REPORT_BYTES + '"}')
    assert await dialect.provider.check(dialect.instance("llm")) == Reported()

    monkeypatch.setattr(reported, "REPORT_TIMEOUT_S", 0.05)

    async def rest(_: web.Request) -> None:
        await dialect.gone.wait()

    dialect.streams(b'{"cpu": 0.5', then=rest, content_type="application/json")
    assert await dialect.provider.check(dialect.instance("llm")) == Reported()
    dialect.gone.set()
