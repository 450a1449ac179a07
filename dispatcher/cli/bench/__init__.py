"""`dispatcher bench`: what this machine serves, measured with instances whose times are known."""

from __future__ import annotations

import click

from dispatcher.cli.bench.devices import devices
from dispatcher.cli.bench.faults import faults
from dispatcher.cli.bench.routing import routing


@click.group("bench")
def bench() -> None:
    """Measure how many devices this machine serves, how it balances, and what faults cost."""


bench.add_command(devices)
bench.add_command(routing)
bench.add_command(faults)
