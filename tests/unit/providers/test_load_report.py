"""What an instance says of its own load, and what is not believed."""

from __future__ import annotations

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from dispatcher.errors import InstanceBusy
from dispatcher.providers import load_report as reported
from dispatcher.providers.protocols import LoadReport
from tests.support.services.openai import FakeOpenAi


async def test_ratios_that_are_reported_are_taken(openai: FakeOpenAi) -> None:
    openai.answers('{"status": "ok", "cpu": 0.25, "memory": 1}')
    found = await openai.llm.check(openai.instance("llm"))
    assert found == LoadReport(cpu_ratio=0.25, memory_ratio=1.0)


@pytest.mark.parametrize(
    "answer", ["", "Ollama is running", "[]", "{}", '{"cpu": null}', '{"cpu_percent": 30}', "[" * 5000]
)
async def test_who_reports_nothing_is_unknown_and_not_0(openai: FakeOpenAi, answer: str) -> None:
    openai.answers(answer)
    with capture_logs() as logged:
        assert await openai.llm.check(openai.instance("llm")) == LoadReport()
    assert logged == []


@pytest.mark.parametrize("word", ["loading", "loading model", "Starting", "not_ready"])
async def test_a_server_that_loads_its_model_and_says_200_gets_no_calls_yet(
    openai: FakeOpenAi, word: str
) -> None:
    openai.answers(f'{{"status": "{word}"}}')
    with pytest.raises(InstanceBusy, match=word):
        await openai.llm.check(openai.instance("llm"))


@pytest.mark.parametrize("lie", ["-0.1", "1.01", "42", "NaN", "Infinity", '"0.5"', "true", "[]", "9" * 400])
async def test_a_figure_that_cannot_be_is_refused_with_a_log_line(openai: FakeOpenAi, lie: str) -> None:
    openai.answers(f'{{"cpu": {lie}, "memory": 0.5}}')
    with capture_logs() as logged:
        found = await openai.llm.check(openai.instance("llm"))
    assert found == LoadReport(cpu_ratio=None, memory_ratio=0.5)
    assert [(line["event"], line["field"], line["instance"]) for line in logged] == [
        ("report refused", "cpu", "llm-1")
    ]


async def test_an_answer_that_is_too_long_or_never_ends_passes_and_reports_nothing(
    openai: FakeOpenAi, monkeypatch: pytest.MonkeyPatch
) -> None:
    openai.answers('{"cpu": 0.5, "more": "' + "x" * reported.MAX_REPORT_BYTES + '"}')
    assert await openai.llm.check(openai.instance("llm")) == LoadReport()

    monkeypatch.setattr(reported, "REPORT_TIMEOUT_S", 0.05)

    async def rest(_: web.Request) -> None:
        await openai.gone.wait()

    openai.streams(b'{"cpu": 0.5', then=rest, content_type="application/json")
    assert await openai.llm.check(openai.instance("llm")) == LoadReport()
    openai.gone.set()
