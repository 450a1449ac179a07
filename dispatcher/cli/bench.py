"""`dispatcher bench`: benches of this machine. A new one is a file in `ops/bench` and its command here."""

from __future__ import annotations

import click

from dispatcher.ops.bench.cost_bench import cost
from dispatcher.ops.bench.device_bench import devices
from dispatcher.ops.bench.endpointing_bench import endpointing
from dispatcher.ops.bench.fault_bench import faults
from dispatcher.ops.bench.growth_bench import growth
from dispatcher.ops.bench.overload_bench import overload
from dispatcher.ops.bench.phrase_bench import phrases
from dispatcher.ops.bench.prefix_bench import prefix
from dispatcher.ops.bench.routing_bench import routing
from dispatcher.ops.bench.speculation_bench import speculation
from dispatcher.ops.bench.voice_bench import voices


@click.group(
    "bench",
    commands=[
        devices,
        cost,
        growth,
        routing,
        prefix,
        endpointing,
        speculation,
        phrases,
        faults,
        overload,
        voices,
    ],
)
def bench() -> None:
    """Measure how many devices this machine serves, how it balances, what faults cost, how voices sound."""
