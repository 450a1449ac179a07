"""Benches of this machine: `dispatcher bench`. A new one is a file and its command in the group."""

from __future__ import annotations

import click

from dispatcher.ops.bench.device_bench import devices
from dispatcher.ops.bench.fault_bench import faults
from dispatcher.ops.bench.routing_bench import routing
from dispatcher.ops.bench.voice_bench import voices


@click.group("bench")
def bench() -> None:
    """Measure how many devices this machine serves, how it balances, what faults cost, how voices sound."""


bench.add_command(devices)
bench.add_command(routing)
bench.add_command(faults)
bench.add_command(voices)
