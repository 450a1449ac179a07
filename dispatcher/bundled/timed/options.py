"""The option that all timed engines have: `fault`."""

from __future__ import annotations

from collections.abc import Mapping

from dispatcher.bundled.timed.faults import NO_FAULT, Faults, read_fault
from dispatcher.errors import ConfigError


def read_faults(options: Mapping[str, str]) -> tuple[dict[str, str], Faults]:
    """Return the options without `fault`, and the switch as `fault` sets it.

    Raises:
        ConfigError: the fault is not written like one.
    """
    rest = dict(options)
    written = rest.pop("fault", "")
    try:
        return rest, Faults(read_fault(written) if written else NO_FAULT)
    except ValueError as error:
        raise ConfigError([f"--fault {written}: {error}"]) from error
