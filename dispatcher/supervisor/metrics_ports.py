"""Ports at which the fronts and workers of a Procfile serve what each alone knows (METRICS_PORT)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from dispatcher.errors import ConfigError
from dispatcher.settings import load_settings
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec, Role

METRICS_VARIABLE: Final = "METRICS_PORT"
HIGHEST_PORT: Final = 65535
_SERVING: Final[frozenset[Role]] = frozenset({"front", "worker"})


def assign_metrics_ports(specs: Iterable[ProcessSpec], environ: Mapping[str, str]) -> tuple[ProcessSpec, ...]:
    """Return the specs, each front and worker with its port in the order of the Procfile.

    METRICS_PORT of the environment is the first one's port; a METRICS_PORT in a line of the Procfile is
    that line's own, and moves no other. All other processes are told of none, whatever they are.

    Raises:
        ConfigError: a variable is wrong, or there are not so many ports from the first on.
    """
    base, number = load_settings(environ).metrics_port, 0
    assigned: list[ProcessSpec] = []
    for spec in specs:
        own = spec.assignments.get(METRICS_VARIABLE)
        port = 0
        if spec.role in _SERVING:
            port, number = (base + number if base else 0), number + 1
            if own is None and port > HIGHEST_PORT:
                expected = f"at most {HIGHEST_PORT + 1 - number}, so that {spec.name} has a port too"
                raise ConfigError([f"{METRICS_VARIABLE}: was {base}; expected {expected}"])
        assigned.append(_with_port(spec, environ, port) if base or own is not None else spec)
    return tuple(assigned)


def without_metrics(spec: ProcessSpec) -> ProcessSpec:
    """Return a spec that serves none."""
    return replace(spec, assignments={**spec.assignments, METRICS_VARIABLE: "0"}, metrics=None)


def _with_port(spec: ProcessSpec, environ: Mapping[str, str], port: int) -> ProcessSpec:
    """Return a spec that is told this port, unless its line names another."""
    assignments = {METRICS_VARIABLE: str(port), **spec.assignments}
    settings = load_settings({**environ, **assignments})
    serves = spec.role in _SERVING and settings.metrics_port
    metrics = ListenAddress(settings.metrics_host, settings.metrics_port) if serves else None
    return replace(spec, assignments=assignments, metrics=metrics)
