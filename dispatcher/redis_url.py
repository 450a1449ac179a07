"""Address of a Redis and its transport, from one URL: plain, over TLS, or behind Sentinel.

    redis://:password@host:6379/0
    rediss://:password@host:6379/0?ca_file=/etc/xiaozhi/ca.pem
    sentinel://:password@one:26379,two:26379,three:26379/0?master_name=mymaster
    sentinels://…          as sentinel://, with TLS to the sentinels and to the master

Everything that a connection needs stands in the URL, so that one setting serves the front, the workers,
Celery and the commands, on any host. No error of this module quotes a URL: it may hold a password.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

Scheme = Literal["redis", "rediss", "sentinel", "sentinels"]

PORTS: Final[dict[Scheme, int]] = {"redis": 6379, "rediss": 6379, "sentinel": 26379, "sentinels": 26379}
DEFAULT_MASTER_NAME: Final = "mymaster"
_WITH_TLS: Final = frozenset({"rediss", "sentinels"})
_WITH_SENTINELS: Final = frozenset({"sentinel", "sentinels"})
_TLS_KEYS: Final = ("ca_file", "cert_file", "key_file")
_SENTINEL_KEYS: Final = ("master_name", "sentinel_password")
# How redis-py and other clients write the same.
_ALSO: Final = {"ssl_ca_certs": "ca_file", "ssl_certfile": "cert_file", "ssl_keyfile": "key_file"}
# A peer that was cut off says nothing: five seconds of silence, then three questions without an answer.
KEEPALIVE_IDLE_S: Final = 5
KEEPALIVE_EVERY_S: Final = 2
KEEPALIVE_COUNT: Final = 3
# What was sent and is not acknowledged for so long ends the connection.
UNACKNOWLEDGED_MS: Final = 10_000
REDIS_CONNECT_TIMEOUT_S: Final = 2.0
# Longer than kombu's own blocking read of a second, shorter than an operator's patience.
KOMBU_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """One Redis, or the sentinels that know it.

    Attributes:
        hosts: host and port of the Redis; of each sentinel where `master_name` is given.
        password: None where there is none; `repr` would show it, so never log an address.
        ca_file: who may have signed the server's certificate; what the system trusts when it is empty.
        cert_file, key_file: our own certificate, where the server asks for one.
        master_name: what the sentinels call the Redis; empty without sentinels.
    """

    scheme: Scheme
    hosts: tuple[tuple[str, int], ...]
    database: int = 0
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    master_name: str = ""
    sentinel_password: str | None = None

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.scheme in _WITH_TLS

    def __str__(self) -> str:
        """Return it for people: hosts and ports, never the password."""
        hosts = ", ".join(f"{host}:{port}" for host, port in self.hosts)
        return f"{hosts} (sentinel, {self.master_name})" if self.master_name else hosts

    def tls_options(self) -> dict[str, str | None]:
        """Return the options of redis-py and of kombu for TLS; the server's name is always checked."""
        if not self.tls:
            return {}
        return {
            "ssl_cert_reqs": "required",
            "ssl_ca_certs": self.ca_file,
            "ssl_certfile": self.cert_file,
            "ssl_keyfile": self.key_file,
        }

    def sentinel_options(self) -> dict[str, Any]:
        """Return the options of redis-py for connections to the sentinels themselves."""
        encrypted = {"ssl": True, **self.tls_options()} if self.tls else {}
        return {"password": self.sentinel_password, **encrypted}


def parse_redis_url(url: str) -> RedisAddress:
    """Return what a URL says; signs such as / ? @ in a password are written as %2F %3F %40.

    Raises:
        ValueError: it cannot be used; the text says what was expected and quotes no secret.
    """
    scheme, rest = _scheme_of(url)
    place, _, options = rest.partition("?")
    userinfo, _, after = place.rpartition("@")
    hosts, _, database = after.partition("/")
    username, _, password = userinfo.partition(":")
    query = _query_of(options, scheme)
    with_sentinels = scheme in _WITH_SENTINELS
    return RedisAddress(
        scheme=scheme,
        hosts=_hosts_of(hosts, scheme),
        database=_database_of(database),
        username=unquote(username) or None,
        password=unquote(password) or None,
        ca_file=query.get("ca_file"),
        cert_file=query.get("cert_file"),
        key_file=query.get("key_file"),
        master_name=query.get("master_name", DEFAULT_MASTER_NAME) if with_sentinels else "",
        sentinel_password=query.get("sentinel_password"),
    )


def with_ca_file(url: str, ca_file: str) -> str:
    """Return the URL of a TLS connection with the file of its CA, unless it names one already.

    Raises:
        ValueError: the URL cannot be used.
    """
    address = parse_redis_url(url)
    if not address.tls or address.ca_file:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'ca_file': ca_file})}"


def kombu_url(address: RedisAddress) -> str:
    """Return the URL as Celery's transport reads it: each sentinel with scheme, password and database."""
    userinfo = f"{quote(address.username or '', safe='')}:{quote(address.password or '', safe='')}@"
    scheme = "sentinel" if address.master_name else address.scheme
    return ";".join(
        f"{scheme}://{'' if userinfo == ':@' else userinfo}{_in_brackets(host)}:{port}/{address.database}"
        for host, port in address.hosts
    )


def kombu_options(address: RedisAddress) -> dict[str, Any]:
    """Return the options of Celery's transport that follow from the URL, each wait in them bounded."""
    waits = {
        "socket_timeout": KOMBU_TIMEOUT_S,
        "socket_connect_timeout": REDIS_CONNECT_TIMEOUT_S,
        "socket_keepalive": True,
        "socket_keepalive_options": keepalive_options(),
    }
    if not address.master_name:
        return waits
    return {
        **waits,
        "master_name": address.master_name,
        "sentinel_kwargs": {**waits, **address.sentinel_options()},
    }


def keepalive_options() -> dict[int, int]:
    """Return the socket options that notice a host that was cut off, as far as this system knows them."""
    wanted = {
        "TCP_KEEPIDLE": KEEPALIVE_IDLE_S,
        "TCP_KEEPINTVL": KEEPALIVE_EVERY_S,
        "TCP_KEEPCNT": KEEPALIVE_COUNT,
        "TCP_USER_TIMEOUT": UNACKNOWLEDGED_MS,
    }
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


def _scheme_of(url: str) -> tuple[Scheme, str]:
    """Return the scheme and all after it; kombu repeats the scheme before each sentinel, we do not."""
    scheme, found, rest = url.partition("://")
    if not found or scheme not in PORTS:
        known = ", ".join(f"{each}://" for each in PORTS)
        raise ValueError(f"it does not begin with one of {known}")
    return scheme, rest.replace(f";{scheme}://", ",").replace(";", ",")


def _hosts_of(text: str, scheme: Scheme) -> tuple[tuple[str, int], ...]:
    given = [each for each in text.split(",") if each] or ["127.0.0.1"]
    if len(given) > 1 and scheme not in _WITH_SENTINELS:
        raise ValueError(f"it names {len(given)} hosts, expected one; several belong to sentinel://")
    hosts = []
    for each in given:
        try:
            parts = urlsplit(f"//{each}")
            hosts.append((parts.hostname or "127.0.0.1", parts.port or PORTS[scheme]))
        except ValueError as error:
            raise ValueError(f"its host or port cannot be used: {error}") from error
    return tuple(hosts)


def _database_of(path: str) -> int:
    text = path.strip("/") or "0"
    if not text.isdecimal():
        raise ValueError(f"its database is {text[:12]!r}, expected a number, as in /0")
    return int(text)


def _query_of(options: str, scheme: Scheme) -> dict[str, str]:
    allowed = {
        *(_TLS_KEYS if scheme in _WITH_TLS else ()),
        *(_SENTINEL_KEYS if scheme in _WITH_SENTINELS else ()),
    }
    query = {_ALSO.get(name, name): value for name, value in parse_qsl(options)}
    unknown = sorted(query.keys() - allowed)
    if unknown:
        known = ", ".join(sorted(allowed)) or "none"
        raise ValueError(f"its option {unknown[0][:20]!r} is not known; {scheme}:// takes {known}")
    return query


def _in_brackets(host: str) -> str:
    return f"[{host}]" if ":" in host else host
