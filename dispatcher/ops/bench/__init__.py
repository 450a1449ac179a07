"""`dispatcher bench`: what this machine serves, and how well its voices are understood."""

from __future__ import annotations

import click

from dispatcher.ops.bench.devices import devices
from dispatcher.ops.bench.faults import faults
from dispatcher.ops.bench.routing import routing
from dispatcher.ops.bench.voices import voices


@click.group("bench")
def bench() -> None:
    """Measure how many devices this machine serves, how it balances, what faults cost, how voices sound."""


bench.add_command(devices)
bench.add_command(routing)
bench.add_command(faults)
bench.add_command(voices)
