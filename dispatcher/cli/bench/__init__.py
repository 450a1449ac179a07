"""`dispatcher bench`: what this machine serves, and how well its voices are understood."""

from __future__ import annotations

import click

from dispatcher.cli.bench.devices import devices
from dispatcher.cli.bench.faults import faults
from dispatcher.cli.bench.routing import routing
from dispatcher.cli.bench.voices import voices


@click.group("bench")
def bench() -> None:
    """Measure how many devices this machine serves, how it balances, what faults cost, how voices sound."""


bench.add_command(devices)
bench.add_command(routing)
bench.add_command(faults)
bench.add_command(voices)
