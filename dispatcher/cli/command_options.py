"""Arguments and options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

instance_argument: Final = click.argument("name", metavar="INSTANCE")
config_option: Final = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The YAML file; else DISPATCHER_CONFIG, else what runs here was started with.",
)


def time_option(default: str | None = None) -> Callable[[Any], Any]:
    """Return `--for`, a length of time that the command gets in seconds as `for_s`."""
    return click.option(
        *("--for", "for_s"),
        metavar="TIME",
        default=default,
        show_default=default is not None,
        callback=in_seconds,
        help="How long: 30s, 5m, 1h; at most 24h.",
    )


def in_seconds(_context: click.Context, _parameter: click.Parameter, written: str | None) -> float | None:
    """Return a length of time such as 30s, 5m or 1h in seconds; None where none was given.

    Raises:
        click.BadParameter: it is no length of time, or too long.
    """
    from dispatcher.ops.instance_holds import seconds_of  # noqa: PLC0415  a group's help must not load redis

    try:
        return None if written is None else seconds_of(written)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
