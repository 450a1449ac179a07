"""`dispatcher bench`: what this machine serves, measured with instances whose times are known."""

from __future__ import annotations

import click

from dispatcher.cli.bench.devices import devices


@click.group("bench")
def bench() -> None:
    """Measure how many devices this machine serves."""


bench.add_command(devices)
