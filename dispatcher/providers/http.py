"""HTTP for every dialect: session, requests with the key, errors by whose fault they are, bounded answers."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp

from dispatcher.bounded_json import read_json
from dispatcher.catalogue.known_hosts import is_public
from dispatcher.catalogue.model import Instance
from dispatcher.errors import (
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceUnreachable,
    in_words,
)
from dispatcher.providers.refusals import status_error

MAX_ANSWER_BYTES: Final = 1_000_000
MAX_LINE_BYTES: Final = 256_000
# A stream ends a moment after it says so; who leaves before that loses the connection for the next call.
END_TIMEOUT_S: Final = 0.1
# A second is when a system sends a lost first packet again. A host of the own network that was switched off
# says nothing at all, and a user waits for the next instance meanwhile.
NEARBY_CONNECT_TIMEOUT_S: Final = 1.5
CONNECT_TIMEOUT_S: Final = 3.0
READ_TIMEOUT_S: Final = 30.0
CHECK_TIMEOUT_S: Final = 5.0
SHOWN_BYTES: Final = 200
# The message of a refusal may stand behind its codes; a page of HTML is no message.
READ_BYTES: Final = 4_000


def new_session(
    *, watched_by: Sequence[aiohttp.TraceConfig] = (), is_for_uploads: bool = False
) -> aiohttp.ClientSession:
    """Return a session that all calls of one event loop share; its pool keeps connections warm.

    Args:
        watched_by: tracers of its requests.
        is_for_uploads: what is sent may be more than a server that computes takes in meanwhile.
    """
    return aiohttp.ClientSession(
        trace_configs=list(watched_by),
        connector=aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=30,
            ttl_dns_cache=60,
            socket_factory=None if is_for_uploads else open_socket,
        ),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=256 * 1024,
    )


def open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket that, to a host of the own network, times out after 1.5 s without an acknowledgement.

    A kept connection to a host that was switched off says nothing of it: the system would send the request
    again and again, and the call be silent until its own end. On macOS that stays so. The same bound ends the
    upload to a server that takes nothing in while it computes, so that it is none for utterances.
    """
    family, kind, protocol, _, target = address
    made = socket.socket(family, kind, protocol)
    host = ipaddress.ip_address(target[0].partition("%")[0])
    if hasattr(socket, "TCP_USER_TIMEOUT") and not host.is_global and not host.is_loopback:
        gives_up_ms = int(NEARBY_CONNECT_TIMEOUT_S * 1000)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, gives_up_ms)
    return made


def timeout_of(session: aiohttp.ClientSession, instance: Instance) -> aiohttp.ClientTimeout:
    """Return the session's timeout for calls of an instance; to connect, it is less in the own network."""
    usual = session.timeout
    connect_s = usual.sock_connect if is_public(instance.endpoint) else NEARBY_CONNECT_TIMEOUT_S
    return aiohttp.ClientTimeout(total=usual.total, sock_connect=connect_s, sock_read=usual.sock_read)


def bearer_headers(instance: Instance) -> dict[str, str]:
    """Return the header with the key, where the instance needs one."""
    key = instance.api_key()
    return {"Authorization": f"Bearer {key}"} if key else {}


@asynccontextmanager
async def request(
    session: aiohttp.ClientSession, instance: Instance, method: str, url: str, **body: Any
) -> AsyncIterator[aiohttp.ClientResponse]:
    """Send a request with the instance's key, and lend the answer while the block lasts.

    Raises:
        InstanceError: nobody answers, or the status is 400 or more.
    """
    options = {"timeout": timeout_of(session, instance), "headers": bearer_headers(instance), **body}
    async with wire_errors(instance), session.request(method, url, **options) as response:
        await raise_for_status(instance, response)
        yield response


@asynccontextmanager
async def wire_errors(instance: Instance) -> AsyncIterator[None]:
    """Turn what the HTTP client raises into our errors."""
    try:
        yield
    except InstanceError:
        raise
    except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, ConnectionError) as error:
        raise InstanceUnreachable(instance.name, in_words(error)) from error
    except TimeoutError as error:
        raise InstanceUnreachable(instance.name, in_words(error)) from error
    except aiohttp.ClientResponseError as error:
        # Its own text has the whole address, and in that a dialect may have signed its key.
        reason = f"HTTP {error.status} {error.message}"
        raise InstanceFailed(instance.name, reason) from error
    except aiohttp.ClientError as error:
        raise InstanceFailed(instance.name, in_words(error)) from error


async def raise_for_status(instance: Instance, response: aiohttp.ClientResponse) -> None:
    """Raise the InstanceError that a status of 400 or more means."""
    if response.status < 400:
        return
    said = (await response.content.read(READ_BYTES))[:READ_BYTES].decode("utf-8", "replace")
    raise status_error(instance, response.status, said, response.headers)


def key_of(instance: Instance) -> str:
    """Return the key of a service that answers nobody without one.

    Raises:
        InstanceForbidden: there is none here; the reason names the variable.
    """
    return _secret(instance, instance.api_key(), instance.api_key_env, key="api_key_env")


def secret_of(instance: Instance) -> str:
    """Return the secret of a service that wants requests to be signed; errors as in `key_of`."""
    return _secret(instance, instance.api_secret(), instance.api_secret_env, key="api_secret_env")


def _secret(instance: Instance, value: str | None, variable: str | None, *, key: str) -> str:
    if value:
        return value
    reason = f"{variable} is not set in this process" if variable else f"its line has no {key}"
    raise InstanceForbidden(instance.name, reason)


async def read_bounded(instance: Instance, response: aiohttp.ClientResponse) -> bytes:
    """Return a whole answer of bounded size."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise InstanceFailed(instance.name, f"answer is over {MAX_ANSWER_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


async def lines(instance: Instance, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the lines of a streamed answer that hold something; the last one needs no end."""
    rest = b""
    async for part in response.content.iter_any():
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > MAX_LINE_BYTES:
            raise InstanceFailed(instance.name, f"a line of the stream is over {MAX_LINE_BYTES} bytes")
    if rest.strip():
        yield rest


async def let_end(response: aiohttp.ClientResponse) -> None:
    """Wait a moment for the end of a stream that said it is over."""
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(END_TIMEOUT_S):
            await response.content.read()


def as_object(instance: Instance, raw: bytes) -> dict[str, Any]:
    """Return a JSON object; anything else is the instance's fault."""
    try:
        answer = read_json(raw)
    except ValueError as error:
        raise InstanceFailed(instance.name, f"answer is not JSON: {raw[:SHOWN_BYTES]!r}") from error
    if not isinstance(answer, dict):
        raise InstanceFailed(instance.name, f"answer was {raw[:SHOWN_BYTES]!r}, expected an object")
    return answer
