"""Curves of a front that grows."""

from __future__ import annotations

from rich.console import Console

from dispatcher.ops.bench.growth_bench import GrowthSample, growth_table, steps_below


def test_a_curve_begins_with_none_and_ends_with_all() -> None:
    assert [numbers.stop for numbers in steps_below(3000)] == [0, 600, 1200, 1800, 2400, 3000]
    assert [number for numbers in steps_below(7) for number in numbers] == list(range(7))
    assert steps_below(0) == [range(0)]


def test_each_point_is_a_row() -> None:
    sample = GrowthSample(
        count=600,
        lost=2,
        front_cpu_ratio=0.0042,
        front_mb=78.4,
        worker_mb=69.1,
        descriptors=619,
        threads=1,
    )
    console = Console(width=100)
    with console.capture() as shown:
        console.print(growth_table("silent devices", [sample]))

    assert shown.get().split()[-7:] == ["600", "2", "0.4%", "78", "69", "619", "1"]
