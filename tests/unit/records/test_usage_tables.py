"""Usage as a table, as JSON and as CSV."""

from __future__ import annotations

from rich.console import Console

from dispatcher.records.usage import UsageTotal
from dispatcher.records.usage_tables import as_csv, as_json, usage_view

TOTALS = (
    UsageTotal(name="llm-1", calls=3, counted_calls=1, prompt_tokens=820, cost=0.1 + 0.2),
    UsageTotal(name="=1+1", calls=1, seconds=2.5),
)


def test_the_table_has_a_row_for_each_and_a_column_for_the_cost() -> None:
    console = Console(width=160, record=True)
    console.print(usage_view(TOTALS, by="instance", currency="CNY"))
    shown = console.export_text()
    assert "instance" in shown
    assert "CNY" in shown
    assert "0.3000" in shown


def test_without_prices_there_is_no_column_of_them_and_without_usage_a_sentence() -> None:
    console = Console(width=160, record=True)
    console.print(usage_view(TOTALS[1:], by="device", currency="CNY"))
    console.print(usage_view((), by="device", currency="CNY"))
    shown = console.export_text()
    assert "CNY" not in shown
    assert "no usage is kept" in shown


def test_csv_starts_no_formula_and_keeps_whole_numbers_whole() -> None:
    heading, first, second = as_csv(TOTALS, by="instance").splitlines()
    assert heading.startswith("instance,calls,counted_calls,prompt_tokens")
    assert first == "llm-1,3,1,820,0,0,0,0,0.3"
    assert second.startswith("'=1+1,1,0,")


def test_json_names_its_currency_and_its_first_day() -> None:
    answer = as_json(TOTALS[:1], by="instance", since_day="2026-11-24", currency="CNY")
    assert (answer["currency"], answer["since"]) == ("CNY", "2026-11-24")
    assert answer["usage"] == [
        {
            "instance": "llm-1",
            "calls": 3,
            "counted_calls": 1,
            "prompt_tokens": 820,
            "cached_tokens": 0,
            "completion_tokens": 0,
            "characters": 0,
            "seconds": 0,
            "cost": 0.3,
        }
    ]
