"""The nginx upstream of the fronts, as the YAML has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from dispatcher.catalogue.fields import Address, Count, CountOrNone, Duration
from dispatcher.catalogue.section import Section, key


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamServer(Section):
    """One front behind nginx, in nginx's own words."""

    server: Annotated[Address, Field(description="host:port, such as 127.0.0.1:8000")]
    weight: Count = 1
    max_fails: CountOrNone = 1
    fail_timeout_s: Annotated[Duration, key("fail_timeout")] = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPool(Section):
    """nginx's keepalive pool to the fronts."""

    keepalive: Count = 32
    keepalive_requests: Count = 100
    keepalive_timeout_s: Annotated[Duration, key("keepalive_timeout")] = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxProxy(Section):
    """What the nginx upstream of the fronts is rendered from."""

    upstream_servers: tuple[UpstreamServer, ...] = ()
    connection_pool: ConnectionPool = field(default_factory=ConnectionPool)
