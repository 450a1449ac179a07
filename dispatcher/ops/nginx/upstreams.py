"""The upstreams: fronts from `nginx_proxy`, model services from `api_gateway`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd
from typing import Final
from urllib.parse import urlsplit

from dispatcher.catalogue.model import Catalogue, Instance, ServiceConfig
from dispatcher.catalogue.nginx_proxy import ConnectionPool, NginxProxy, UpstreamServer
from dispatcher.messages import Service

# Idle connections that nginx keeps open to each service.
KEEPALIVE: Final[dict[Service, int]] = {"asr": 16, "llm": 8, "tts": 16}
LONE_FRONT: Final = UpstreamServer(server="127.0.0.1:8000", max_fails=2, fail_timeout_s=30)
# The one dialect in which instances can stand in for each other behind one address.
SHARED_DIALECT: Final = "openai_http"
FINEST_WEIGHT: Final = 100
# nginx knows no more than first and last.
_LAST: Final = frozenset({"low", "standby"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamMember:
    """An instance as a `server` of an upstream.

    Attributes:
        address: host and port, or the socket of a relay.
        relayed: nginx reaches it through a server of its own.
    """

    instance: Instance
    address: str
    relayed: bool


def at_front(catalogue: Catalogue, port: int) -> Catalogue:
    """Return a catalogue whose lone front listens at this port; one that names its fronts stays."""
    if catalogue.nginx.upstream_servers:
        return catalogue
    front = replace(LONE_FRONT, server=f"127.0.0.1:{port}")
    return replace(catalogue, nginx=replace(catalogue.nginx, upstream_servers=(front,)))


def front_upstreams(proxy: NginxProxy) -> str:
    """Return both upstreams of the fronts, which differ only in how one is chosen."""
    servers = [
        f"server {each.server} weight={each.weight} max_fails={each.max_fails} "
        f"fail_timeout={_seconds(each.fail_timeout_s)};"
        for each in proxy.upstream_servers or (LONE_FRONT,)
    ]
    pool = _pool(proxy.connection_pool)
    return "\n".join(
        [
            "# Pages, OTA and probes: the front with the fewest connections, by weight.",
            _upstream("fronts", ["least_conn;"], servers, pool),
            "# Sockets: a device comes back to its front, which then drops the device's dead socket.",
            _upstream("fronts_by_device", ["hash $device consistent;"], servers, pool),
        ]
    )


def members_of(instances: Iterable[Instance], run_dir: str) -> list[UpstreamMember]:
    """Return where nginx sends the calls for these instances; other dialects than OpenAI's are left out."""
    return [_member(each, run_dir) for each in instances if each.provider == SHARED_DIALECT]


def _member(instance: Instance, run_dir: str) -> UpstreamMember:
    url = urlsplit(instance.endpoint)
    if url.scheme == "http" and url.path == "/v1":
        # "localhost" is two addresses, and one of them refuses.
        host = "127.0.0.1" if url.hostname == "localhost" else url.netloc.rpartition(":")[0] or url.netloc
        return UpstreamMember(instance=instance, address=f"{host}:{url.port or 80}", relayed=False)
    return UpstreamMember(instance=instance, address=f"unix:{run_dir}/{instance.name}.sock", relayed=True)


def split_backups(members: Sequence[UpstreamMember]) -> tuple[list[UpstreamMember], list[UpstreamMember]]:
    """Return those that are used first, and those of low priority or that stand by; never none first."""
    backups = [each for each in members if each.instance.priority in _LAST]
    first = [each for each in members if each.instance.priority not in _LAST]
    return (first, backups) if first else (backups, [])


def service_upstream(config: ServiceConfig, members: Sequence[UpstreamMember]) -> str:
    """Return the upstream of a service whose calls may go to any instance."""
    first, backups = split_backups(members)
    servers = [*_servers(config, first), *_servers(config, backups, more=" backup")]
    return _upstream(config.service, ["least_conn;"], servers, _service_pool(config.service))


def dialogue_upstreams(config: ServiceConfig, members: Sequence[UpstreamMember]) -> str:
    """Return the upstreams of a service where a dialogue stays with its instance, which has it in memory.

    nginx allows no `backup` beside `hash`, so the backups are an upstream of their own.
    """
    first, backups = split_backups(members)
    pool = _service_pool(config.service)
    made = [_upstream(config.service, ["hash $dialogue consistent;"], list(_servers(config, first)), pool)]
    if backups:
        servers = list(_servers(config, backups))
        made.append(_upstream(f"{config.service}_backup", ["least_conn;"], servers, pool))
    return "\n".join(made)


def _servers(config: ServiceConfig, members: Sequence[UpstreamMember], *, more: str = "") -> Iterable[str]:
    passive = f"max_fails={config.max_fails} fail_timeout={_seconds(config.fail_timeout_s)}"
    for member, weight in zip(
        members, whole_weights([each.instance.weight for each in members]), strict=True
    ):
        yield f"server {member.address} weight={weight} {passive}{more};"


def whole_weights(weights: Sequence[float]) -> list[int]:
    """Return the weights as nginx takes them: whole numbers in the same proportion, at least 1."""
    if not weights:
        return []
    parts = [Fraction(weight).limit_denominator(FINEST_WEIGHT) for weight in weights]
    whole = [max(1, round(part * FINEST_WEIGHT)) for part in parts]
    divisor = gcd(*whole)
    return [weight // divisor for weight in whole]


def _pool(pool: ConnectionPool) -> list[str]:
    return [
        f"keepalive {pool.keepalive};",
        f"keepalive_requests {pool.keepalive_requests};",
        f"keepalive_timeout {_seconds(pool.keepalive_timeout_s)};",
    ]


def _service_pool(service: Service) -> list[str]:
    return _pool(ConnectionPool(keepalive=KEEPALIVE[service]))


def _upstream(name: str, choice: Sequence[str], servers: Sequence[str], pool: Sequence[str]) -> str:
    """Return one upstream; its zone lets nginx's processes count as one."""
    lines = [f"zone {name} 64k;", *choice, *servers, *pool]
    return "\n".join([f"upstream {name} {{", *(f"    {line}" for line in lines), "}", ""])


def _seconds(seconds: float) -> str:
    """Return a time as nginx writes it; it knows no fractions of a second."""
    return f"{max(1, round(seconds))}s"
