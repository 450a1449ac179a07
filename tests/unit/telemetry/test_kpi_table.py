"""How figures and alerts look in `dispatcher status`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from dispatcher.host_metrics.host import HostSample
from dispatcher.kpis.alert_rules import Alert
from dispatcher.kpis.kpi_rules import Kpi, Unit
from dispatcher.telemetry.kpi_store import KpiSnapshot, KpiStatus
from dispatcher.telemetry.kpi_table import NO_SNAPSHOT, kpi_view, state_text, value_text

NOW_S = 1000.0
BOX = HostSample(
    cpu_ratio=None,
    memory_ratio=0.5,
    network_ratio=None,
    network_bytes_per_s=None,
    cores=2,
    memory_bytes=10**9,
)
ERRORS = KpiStatus(
    kpi=Kpi(name="errors", unit="ratio", value=0.0714, target=0.01, alert=0.05, detail="2 of 28 turns"),
    alert=Alert(phase="firing", since_s=NOW_S - 65),
)
NETWORK = KpiStatus(
    kpi=Kpi(name="network", unit="ratio", value=None, target=0.8, alert=0.9), alert=Alert(since_s=NOW_S - 5)
)


def drawn(*standings: KpiStatus, width: int = 80) -> str:
    board = KpiSnapshot(judged_at_s=NOW_S, host="box", standings=standings, box=BOX, processes=())
    console = Console(width=width)
    with console.capture() as capture:
        console.print(kpi_view(board, now_s=NOW_S))
    return capture.get()


def rows(*standings: KpiStatus, width: int = 80) -> list[str]:
    return [" ".join(line.split()) for line in drawn(*standings, width=width).splitlines()]


def test_a_row_tells_value_target_bound_state_and_since() -> None:
    assert rows(ERRORS, NETWORK) == [
        "figure value target alert state since detail",
        "errors 7.1 % 1.0 % 5.0 % firing 1 min 5 s 2 of 28 turns",
        "network – 80.0 % 90.0 % unknown 5.0 s",
    ]


def test_labels_say_what_is_counted_and_times_are_not_called_like_shares() -> None:
    kpis = (
        Kpi(name="share", unit="ratio", value=0.0, target=0.05, alert=0.1),
        Kpi(name="instances_healthy", unit="count", value=0, target=0, alert=0),
        Kpi(name="own_share", unit="s", value=0.2, target=0.5, alert=1),
        Kpi(name="first_audio_p95", unit="s", value=0.2, target=0.5, alert=1),
    )
    standings = [replace(NETWORK, kpi=kpi) for kpi in kpis]
    labels = [row.partition("  ")[0] for row in drawn(*standings).splitlines()[1:]]
    assert labels == ["calls off weight", "instances unhealthy", "our own time p99", "first_audio_p95"]


@pytest.mark.parametrize("width", [40, 50, 60, 69])
def test_below_seventy_columns_whole_columns_go(width: int) -> None:
    long = replace(ERRORS, kpi=replace(ERRORS.kpi, name="first_audio_p95", detail="2 of 28 turns"))
    text = drawn(long, NETWORK, width=width)
    assert "first_audio_p95" in text
    assert "…" not in text


def test_the_table_fits_eighty_columns_with_nothing_cut_off() -> None:
    long = replace(ERRORS, kpi=replace(ERRORS.kpi, name="instances_healthy", detail="llm-1, " * 20))
    shown = rows(long, NETWORK)
    assert "…" not in "".join(shown)
    assert " ".join(shown).count("llm-1") == 20


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "s", "–"),
        (0.0, "ratio", "0.0 %"),
        (0.8245, "ratio", "82.5 %"),
        (3.0, "count", "3"),
        (0.0415, "s", "42 ms"),
        (9.9, "s", "9900 ms"),
        (60.0, "s", "60 s"),
    ],
)
def test_values_have_the_unit_in_which_they_are_read(value: float | None, unit: Unit, text: str) -> None:
    assert value_text(value, unit) == text


def test_too_few_turns_are_no_ok() -> None:
    few = replace(ERRORS, kpi=replace(ERRORS.kpi, judged=False), alert=Alert())
    assert state_text(few) == "few turns"
    assert state_text(replace(few, alert=Alert(phase="resolved"))) == "resolved"


def test_without_a_control_worker_it_says_who_would_judge() -> None:
    assert str(kpi_view(None)) == NO_SNAPSHOT
