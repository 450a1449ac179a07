"""`dispatcher usage`: since when, by what, and in which form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dispatcher.cli import main
from dispatcher.errors import ConfigError
from dispatcher.ops.usage_admin import first_day
from dispatcher.records.store import Store
from dispatcher.routing.rules.usage import day_of
from tests.support.broker import Broker
from tests.unit.records import checks

# 2026-11-30 16:30 UTC, in Shanghai the next day.
EVENING_S = 1_796_056_200.0


@pytest.mark.parametrize(
    ("since", "zone", "day"),
    [
        ("1d", "UTC", "2026-11-30"),
        ("7d", "UTC", "2026-11-24"),
        ("7d", "Asia/Shanghai", "2026-11-25"),
        ("2026-10-01", "UTC", "2026-10-01"),
    ],
)
def test_a_span_ends_with_today_in_the_zone_of_the_house(since: str, zone: str, day: str) -> None:
    assert first_day(since, EVENING_S, zone) == day


@pytest.mark.parametrize("since", ["0d", "a week", "7h", "2026-13-01", ""])
def test_another_span_is_refused_in_words(since: str) -> None:
    with pytest.raises(ConfigError, match=r"--since: was .*; expected a number of days such as 7d"):
        first_day(since, EVENING_S, "UTC")


@pytest.fixture
def kept(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Usage of one instance in the records of the command's folder."""
    monkeypatch.setenv("REDIS_URL", broker.url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    store = Store.at(f"sqlite:///{tmp_path / 'records.sqlite3'}")
    store.keep([checks.usage_of(1, calls=2, prompt_tokens=820, cost=0.5)], life="a")
    store.close()


@pytest.mark.usefixtures("kept")
def test_the_command_prints_a_table_json_and_csv() -> None:
    run = CliRunner().invoke
    table = run(main, ["usage", "--since", "2026-11-01"])
    assert (table.exit_code, "llm-1" in table.output) == (0, True), table.output
    by_device = json.loads(run(main, ["usage", "--by", "device", "--since", "2026-11-01", "--json"]).output)
    assert [(row["device"], row["prompt_tokens"]) for row in by_device["usage"]] == [("狗", 820)]
    by_day = run(main, ["usage", "--by", "day", "--since", "2026-11-01", "--csv"]).output
    assert by_day.splitlines()[1].startswith("2026-11-30,2,0,820")


@pytest.mark.usefixtures("kept")
def test_days_before_the_span_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: EVENING_S + 60 * 24 * 3600)
    assert day_of(EVENING_S, "UTC") == "2026-11-30"
    assert "no usage is kept" in CliRunner().invoke(main, ["usage"]).output


@pytest.mark.usefixtures("kept")
def test_a_mistake_is_told_and_ends_with_the_code_of_settings() -> None:
    result = CliRunner().invoke(main, ["usage", "--since", "soon"])
    assert result.exit_code == 2
    assert "--since: was 'soon'" in result.output
    assert "Invalid value for '--by'" in CliRunner().invoke(main, ["usage", "--by", "color"]).output
