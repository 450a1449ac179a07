"""Plan of `dispatcher up`: the processes to run, the order in which they stop, and those left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from dispatcher.catalogue import Catalogue
from dispatcher.errors import ConfigError
from dispatcher.supervisor.flower_environment import what_is_missing
from dispatcher.supervisor.metrics_ports import assign_metrics_ports, without_metrics
from dispatcher.supervisor.process_spec import ListenAddress, ProcessSpec, Role, spec_of
from dispatcher.supervisor.procfile import Line

# The front first, so that turns under way still find everything behind it.
STOP_ORDER: Final[tuple[tuple[Role, ...], ...]] = (
    ("front",),
    ("worker",),
    ("beat", "flower", "console", "other"),
    ("instance",),
    ("broker",),
)
LAST: Final[frozenset[Role]] = frozenset({"flower", "console"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104  compared, not bound
# What the speech recognition runs on; an environment without it has none of the built-in models.
_MODEL_RUNTIME: Final = "ctranslate2"
_SCHEME_PORTS: Final = {"http": 80, "https": 443}


class Skipped(NamedTuple):
    """A line of the Procfile that is not run, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `dispatcher up` runs."""

    specs: tuple[ProcessSpec, ...]
    skipped: tuple[Skipped, ...]

    @property
    def brokers(self) -> tuple[ProcessSpec, ...]:
        """The processes that all others wait for."""
        return tuple(spec for spec in self.specs if spec.role == "broker")

    @property
    def others(self) -> tuple[ProcessSpec, ...]:
        """The processes that start together once the broker answers."""
        return tuple(spec for spec in self.specs if spec.role not in {"broker", *LAST})

    @property
    def last(self) -> tuple[ProcessSpec, ...]:
        """The processes that start when all others run, because no turn needs them."""
        return tuple(spec for spec in self.specs if spec.role in LAST)


def make_plan(lines: Iterable[Line], *, catalogue: Catalogue, environ: Mapping[str, str]) -> Plan:
    """Return what to run of a Procfile.

    Args:
        lines: the Procfile.
        catalogue: a built-in instance that it does not name is not started.
        environ: variables of the children; REDIS_URL among them means that the broker is elsewhere, and
            MODELS=none that no built-in instance runs.

    Raises:
        ConfigError: a line cannot be understood, two processes want the same port, or a service is left
            without an instance.
    """
    used, no_models = _addresses(catalogue), without_models(environ)
    specs: list[ProcessSpec] = []
    skipped: list[tuple[ProcessSpec, str]] = []
    for line in lines:
        spec = spec_of(line, environ)
        reason = _reason_to_skip(
            spec, used, external_redis=bool(environ.get("REDIS_URL")), no_models=no_models
        )
        if reason is None:
            specs.append(spec)
        else:
            skipped.append((spec, reason))
    if no_models:
        _require_other_instances(catalogue, skipped, no_models)
    run = assign_metrics_ports(specs, environ)
    _require_distinct_ports(run)
    return Plan(specs=run, skipped=tuple(Skipped(spec.name, reason) for spec, reason in skipped))


def without_models(environ: Mapping[str, str]) -> str | None:
    """Return why no built-in instance can run; None where they can.

    Raises:
        ConfigError: MODELS is neither empty nor "none".
    """
    wish = environ.get("MODELS", "")
    if wish not in ("", "none"):
        raise ConfigError([f"MODELS: was {wish!r}; expected none, or nothing"])
    if wish:
        return "MODELS=none"
    if find_spec(_MODEL_RUNTIME) is None:
        return "the built-in models are not installed; `make run` without MODELS=none installs them"
    return None


def _require_other_instances(
    catalogue: Catalogue, skipped: Iterable[tuple[ProcessSpec, str]], why: str
) -> None:
    """Refuse a service that has nothing but built-in instances, where those do not run."""
    not_run = {_on_loopback(spec.address) for spec, reason in skipped if spec.address and reason == why}
    problems = [
        f"{name}_services: has only {', '.join(each.name for each in service.instances)}, built in "
        f"and not started ({why}); expected an instance of yours"
        for name, service in catalogue.services.items()
        if service.instances and all(_address_of(each.endpoint) in not_run for each in service.instances)
    ]
    if problems:
        raise ConfigError(problems)


def _reason_to_skip(
    spec: ProcessSpec, used: frozenset[ListenAddress], *, external_redis: bool, no_models: str | None
) -> str | None:
    if spec.role == "broker" and external_redis:
        return "REDIS_URL is set"
    if spec.role == "instance" and spec.address is not None:
        is_used = _on_loopback(spec.address) in used
        return no_models if is_used else f"the catalogue has no instance at {spec.address}"
    if spec.role == "flower":
        return what_is_missing()
    return None


def without_taken_ports(plan: Plan, is_taken: Callable[[str, int], bool]) -> Plan:
    """Return the plan without the last processes and the metrics whose port is taken; a turn needs none."""
    taken = [spec for spec in plan.last if spec.address is not None and is_taken(*spec.address)]
    reasons = tuple(
        Skipped(spec.name, f"something else listens at {spec.address}; set {spec.role.upper()}_PORT")
        for spec in taken
    )
    mute = [spec for spec in plan.specs if spec.metrics is not None and is_taken(*spec.metrics)]
    reasons += tuple(
        Skipped(f"/metrics of {spec.name}", f"something else listens at {spec.metrics}; set METRICS_PORT")
        for spec in mute
    )
    left = (without_metrics(spec) if spec in mute else spec for spec in plan.specs if spec not in taken)
    return Plan(specs=tuple(left), skipped=(*plan.skipped, *reasons))


def _addresses(catalogue: Catalogue) -> frozenset[ListenAddress]:
    """Return the addresses of the catalogue's instances, loopback written in one way."""
    instances = (each for service in catalogue.services.values() for each in service.instances)
    return frozenset(_address_of(instance.endpoint) for instance in instances)


def _address_of(endpoint: str) -> ListenAddress:
    url = urlsplit(endpoint)
    return _on_loopback(ListenAddress(url.hostname or "", url.port or _SCHEME_PORTS.get(url.scheme, 80)))


def _on_loopback(address: ListenAddress) -> ListenAddress:
    return ListenAddress("127.0.0.1", address.port) if address.host in _LOOPBACK else address


def _require_distinct_ports(specs: Sequence[ProcessSpec]) -> None:
    owners: dict[int, str] = {}
    problems = []
    wanted = [(spec.address, spec.name) for spec in specs]
    wanted += [(spec.metrics, f"{spec.name} (METRICS_PORT)") for spec in specs]
    for address, name in wanted:
        if address is None:
            continue
        first = owners.setdefault(address.port, name)
        if first != name:
            problems.append(f"port {address.port} is wanted by {first} and by {name}")
    if problems:
        raise ConfigError(problems)
