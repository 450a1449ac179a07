"""Which parts run, in which order they stop, and which are left out and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from dispatcher.catalogue import Catalogue
from dispatcher.cli.flower_place import what_is_missing
from dispatcher.cli.supervisor.parts import Address, Part, Role, part_of
from dispatcher.cli.supervisor.procfile import Line
from dispatcher.errors import ConfigError

# The front first, so that turns under way still find everything behind it.
STOP_ORDER: Final[tuple[tuple[Role, ...], ...]] = (
    ("front",),
    ("worker",),
    ("beat", "flower", "other"),
    ("instance",),
    ("broker",),
)
LAST: Final[frozenset[Role]] = frozenset({"flower"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104  compared, not bound
_SCHEME_PORTS: Final = {"http": 80, "https": 443}


class Skipped(NamedTuple):
    """A line of the Procfile that is not run, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What `dispatcher up` runs."""

    parts: tuple[Part, ...]
    skipped: tuple[Skipped, ...]

    @property
    def brokers(self) -> tuple[Part, ...]:
        """The parts that all others wait for."""
        return tuple(part for part in self.parts if part.role == "broker")

    @property
    def others(self) -> tuple[Part, ...]:
        """The parts that start together once the broker answers."""
        return tuple(part for part in self.parts if part.role not in {"broker", *LAST})

    @property
    def last(self) -> tuple[Part, ...]:
        """The parts that start when all others run, because no turn needs them."""
        return tuple(part for part in self.parts if part.role in LAST)


def make_plan(lines: Iterable[Line], *, catalogue: Catalogue, environ: Mapping[str, str]) -> Plan:
    """Return what to run of a Procfile.

    Args:
        lines: the Procfile.
        catalogue: a built-in instance that it does not name is not started.
        environ: variables of the children; REDIS_URL among them means that the broker is elsewhere.

    Raises:
        ConfigError: a line cannot be understood, or two parts want the same port.
    """
    used = _addresses(catalogue)
    parts: list[Part] = []
    skipped: list[Skipped] = []
    for line in lines:
        part = part_of(line, environ)
        reason = _reason_to_skip(part, used, external_redis=bool(environ.get("REDIS_URL")))
        if reason is None:
            parts.append(part)
        else:
            skipped.append(Skipped(part.name, reason))
    _require_distinct_ports(parts)
    return Plan(parts=tuple(parts), skipped=tuple(skipped))


def _reason_to_skip(part: Part, used: frozenset[Address], *, external_redis: bool) -> str | None:
    if part.role == "broker" and external_redis:
        return "REDIS_URL is set"
    if part.role == "instance" and part.address is not None and _on_loopback(part.address) not in used:
        return f"the catalogue has no instance at {part.address}"
    if part.role == "flower":
        return what_is_missing()
    return None


def without_taken_ports(plan: Plan, is_taken: Callable[[str, int], bool]) -> Plan:
    """Return the plan without those of the last parts whose port another program has; a turn needs none."""
    taken = [part for part in plan.last if part.address is not None and is_taken(*part.address)]
    reasons = tuple(
        Skipped(part.name, f"something else listens at {part.address}; set FLOWER_PORT") for part in taken
    )
    left = tuple(part for part in plan.parts if part not in taken)
    return Plan(parts=left, skipped=(*plan.skipped, *reasons))


def _addresses(catalogue: Catalogue) -> frozenset[Address]:
    """Return the addresses of the catalogue's instances, loopback written in one way."""
    addresses = set()
    for service in catalogue.services.values():
        for instance in service.instances:
            url = urlsplit(instance.endpoint)
            port = url.port or _SCHEME_PORTS.get(url.scheme, 80)
            addresses.add(_on_loopback(Address(url.hostname or "", port)))
    return frozenset(addresses)


def _on_loopback(address: Address) -> Address:
    return Address("127.0.0.1", address.port) if address.host in _LOOPBACK else address


def _require_distinct_ports(parts: Sequence[Part]) -> None:
    owners: dict[int, str] = {}
    problems = []
    for part in parts:
        if part.address is None:
            continue
        first = owners.setdefault(part.address.port, part.name)
        if first != part.name:
            problems.append(f"port {part.address.port} is wanted by {first} and by {part.name}")
    if problems:
        raise ConfigError(problems)
