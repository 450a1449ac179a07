"""Report on an instance after `drain`, `eject` or `restore`: its state, and a warning of a shortage."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import click

from dispatcher.errors import UnknownName
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import InstanceView, read_overview
from dispatcher.terminal.console import duration


async def report_instance(redis: RedisClient, name: str) -> None:
    """Print the instance's state, and a warning when its service has nothing else to use.

    Raises:
        UnknownName: it was taken out of the YAML in this very moment.
        StateError: Redis is out of reach.
    """
    instances = (await read_overview(redis)).instances
    instance = next((each for each in instances if each.name == name), None)
    if instance is None:
        raise UnknownName(f"{name} has just left the fleet")
    click.echo(state_sentence(instance))
    warning = shortage(instance, instances)
    if warning:
        click.secho(warning, fg="yellow", err=True, color=None if sys.stderr.isatty() else False)


def state_sentence(instance: InstanceView) -> str:
    """Return the state of an instance in a sentence."""
    name, calls = instance.name, f"{instance.in_flight} of {instance.cap} slots in use"
    match instance.state:
        case "draining":
            ejected = "" if instance.back_in_s is None else " and ejected"
            return f"{name} is draining{ejected}: {calls}, no new calls until `dispatcher restore {name}`"
        case "ejected":
            back_in = duration(math.ceil(instance.back_in_s or 0))
            return f"{name} is ejected: {calls}, no new calls for {back_in}; then one call probes it"
        case "slow":
            return (
                f"{name} is slow: {calls}; while a quicker one is free it is only probed, beside other calls"
            )
        case "slow start":
            return f"{name} is back: {calls}; it gets its share over ten seconds"
        case state:
            return f"{name} is {state}: {calls}"


def shortage(instance: InstanceView, instances: Sequence[InstanceView]) -> str:
    """Return a warning when no instance of the same service is usable; else an empty text."""
    same = [each for each in instances if each.service == instance.service]
    if any(each.is_usable for each in same):
        return ""
    if all(each.state == "draining" for each in same):
        return f"warning: all {instance.service} instances are draining, so every call fails"
    return (
        f"warning: no {instance.service} instance is usable; the one that failed least is tried all the same"
    )
