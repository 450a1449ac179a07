"""Registry of devices: those that were seen, and what an operator set for them.

Redis holds the working copy, which fronts read when a device connects; the control worker keeps it in SQL
and gives it back to a Redis that came up empty. A device that only asked for its address is unregistered, and
expires soon.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast, get_args

from dispatcher.devices import registry_scripts
from dispatcher.devices.registry_scripts import ADMIT, MARK, NOTE, RESTORE, run_on_device
from dispatcher.errors import StateError
from dispatcher.messages import Language
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.redis_client.decoding import as_text
from dispatcher.redis_client.lua_script import NamedValues, Value

CODE_DIGITS: Final = 6
CLIENT_DIGITS: Final = 32
_YES: Final = "1"

# What an operator may set.
OperatorField: TypeAlias = Literal["name", "language", "persona", "blocked", "activated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """One device as it is known; empty texts and zeros are not known.

    Attributes:
        first_seen_ms, last_seen_ms: Unix time.
        accept_language: the languages that it sent when it asked for its address.
        language, name, persona: what an operator set.
        blocked: it is refused.
        activated: an operator typed its code, or let it in otherwise.
        code: what it shows until then.
        client: digest of the Client-Id that the device has; empty before its first connection.
        waiting_client: digest of another client that came in its name, and since when it waits; 0: none does.
    """

    device_id: str
    first_seen_ms: int = 0
    last_seen_ms: int = 0
    board: str = ""
    firmware: str = ""
    accept_language: str = ""
    language: Language | None = None
    name: str = ""
    persona: str = ""
    blocked: bool = False
    activated: bool = False
    code: str = ""
    client: str = ""
    waiting_client: str = ""
    waiting_since_ms: int = 0

    def is_other_client(self, client_id: str) -> bool:
        """Return whether the device is bound to another client than this one."""
        return bool(self.client) and self.client != client_digest(client_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDetails:
    """What a device sends of itself when it asks for its address.

    Attributes:
        client_id: by which client; what another one than the device's sends is not kept.
    """

    board: str = ""
    firmware: str = ""
    accept_language: str = ""
    client_id: str = ""

    def fields(self) -> list[str]:
        """Return names and values of what it sent, in a row."""
        sent = {name: getattr(self, name) for name in self.__slots__ if name != "client_id"}
        return [word for pair in sent.items() if pair[1] for word in pair]


async def record_seen(
    redis: RedisClient, device_id: str, details: DeviceDetails | None = None, *, wants_code: bool = False
) -> Registered:
    """Record that a device asked for its address, and return what is known of it.

    Args:
        redis: connection to the shared state.
        device_id: in lower case.
        details: what it sent of itself, where it did.
        wants_code: give it an activation code, unless it is activated.

    Raises:
        StateError: Redis is out of reach.
    """
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}" if wants_code else ""
    details = details or DeviceDetails()
    client = client_digest(details.client_id)
    found: NamedValues = {"connected": False, "code": code, "client": client, "opens": False}
    return read_hash(device_id, await run_on_device(redis, NOTE, device_id, found, fields=details.fields()))


async def bind(redis: RedisClient, device_id: str, client_id: str, *, greeted: bool) -> Registered:
    """Bind a device to the first client that opens a connection as it; return what is known of it.

    Another client is noted as one that waits to be admitted (`Registered.is_other_client`).

    Args:
        redis: connection to the shared state.
        device_id: in its one form.
        client_id: as the client names itself; empty binds nothing.
        greeted: it said hello, and is a known device from now on.

    Raises:
        StateError: Redis is out of reach.
    """
    client = client_digest(client_id)
    found: NamedValues = {"connected": greeted, "code": "", "client": client, "opens": True}
    return read_hash(device_id, await run_on_device(redis, NOTE, device_id, found))


async def admit(redis: RedisClient, device_id: str) -> bool:
    """Bind a device to the client that waits, instead of the one before; return whether one waits.

    Raises:
        StateError: Redis is out of reach.
    """
    return bool(await run_on_device(redis, ADMIT, device_id, {}))


def client_digest(client_id: str) -> str:
    """Return what is kept of a Client-Id: by the id itself whoever reads it could pass for the device."""
    return hashlib.sha256(client_id.encode()).hexdigest()[:CLIENT_DIGITS] if client_id else ""


async def set_field(redis: RedisClient, device_id: str, field: OperatorField, value: str) -> None:
    """Set a field of a device, which need not have been seen yet; an empty value clears it.

    Raises:
        StateError: Redis is out of reach, or the registry is full.
    """
    if not await run_on_device(redis, MARK, device_id, {"field": field, "value": value}):
        raise StateError(
            f"{registry_scripts.DEVICES_KEPT} devices are registered, there is room for no other"
        )


async def read(redis: RedisClient, device_id: str) -> Registered:
    """Return what is known of a device; of an unknown one nothing is.

    Raises:
        StateError: Redis is out of reach.
    """
    return read_hash(device_id, await redis.execute("HGETALL", keys.device(device_id)))


async def read_all(redis: RedisClient, *, most: int = registry_scripts.DEVICES_KEPT) -> list[Registered]:
    """Return known devices, the latest seen first, and after them unregistered ones that show a code or wait.

    Args:
        redis: connection to the shared state.
        most: at most so many of either.

    Raises:
        StateError: Redis is out of reach.
    """
    known, unregistered = await asyncio.gather(
        redis.execute("ZREVRANGE", keys.DEVICES, 0, most - 1),
        redis.execute("ZREVRANGE", keys.STRANGERS, 0, most - 1),
    )
    found = await read_many(redis, [device_id.decode() for device_id in known])
    waiting = await read_many(redis, [device_id.decode() for device_id in unregistered])
    return [*found, *(device for device in waiting if device.code or device.waiting_since_ms)]


async def read_many(redis: RedisClient, device_ids: Sequence[str]) -> list[Registered]:
    """Return what is known of devices.

    Raises:
        StateError: Redis is out of reach.
    """
    hashes = await asyncio.gather(*(redis.submit(("HGETALL", keys.device(each))) for each in device_ids))
    return [read_hash(device_id, flat) for device_id, flat in zip(device_ids, hashes, strict=True)]


async def find_by_code(redis: RedisClient, code: str) -> str | None:
    """Return the device that shows an activation code, or None.

    Raises:
        StateError: Redis is out of reach.
    """
    found = await redis.execute("GET", keys.activation(code))
    return found.decode() if found else None


async def remove(redis: RedisClient, device_id: str) -> None:
    """Forget a device; when it comes again it is new.

    Raises:
        StateError: Redis is out of reach.
    """
    code = (await read(redis, device_id)).code
    gone = [keys.device(device_id), *([keys.activation(code)] if code else [])]
    await asyncio.gather(
        redis.submit(("DEL", *gone)),
        redis.submit(("ZREM", keys.DEVICES, device_id)),
        redis.submit(("ZREM", keys.STRANGERS, device_id)),
        redis.submit(("SADD", keys.DEVICES_CHANGED, device_id)),
    )


async def take_changed(redis: RedisClient, count: int) -> list[str]:
    """Take devices that changed since they were kept in SQL; a caller that cannot keep them puts them back.

    Raises:
        StateError: Redis is out of reach.
    """
    return [each.decode() for each in await redis.execute("SPOP", keys.DEVICES_CHANGED, count)]


async def put_back_changed(redis: RedisClient, device_ids: Sequence[str]) -> None:
    """Let devices be taken again.

    Raises:
        StateError: Redis is out of reach.
    """
    await redis.execute("SADD", keys.DEVICES_CHANGED, *device_ids)


async def needs_restore(redis: RedisClient) -> bool:
    """Return whether this Redis has not been given the registry of SQL yet.

    Raises:
        StateError: Redis is out of reach.
    """
    return not await redis.execute("EXISTS", keys.DEVICES_RESTORED)


async def restore(redis: RedisClient, rows: Sequence[tuple[Registered, str]]) -> None:
    """Give Redis the devices of SQL with what is remembered of their users; what is newer there stays.

    Raises:
        StateError: Redis is out of reach; the next call begins again.
    """
    for device, memory in rows:
        found: NamedValues = {"seen_ms": device.last_seen_ms, "memory": memory}
        await run_on_device(redis, RESTORE, device.device_id, found, fields=_hash_of(device))
    await redis.execute("SET", keys.DEVICES_RESTORED, 1)


def _hash_of(device: Registered) -> list[Value]:
    """Return the fields of a device's hash in a row, as `read_hash` takes them."""
    fields: dict[str, Value] = {name: getattr(device, name) for name in _TEXTS if getattr(device, name)}
    fields |= {"first_seen_ms": device.first_seen_ms, "last_seen_ms": device.last_seen_ms}
    if device.language:
        fields["language"] = device.language
    fields |= {name: _YES for name in ("blocked", "activated") if getattr(device, name)}
    return [word for pair in fields.items() for word in pair]


def read_hash(device_id: str, flat: Mapping[bytes, bytes] | Sequence[bytes]) -> Registered:
    """Return a device from the fields of its hash; what has no meaning counts as not known."""
    fields = as_text(flat)
    language = fields.get("language", "")
    return Registered(
        device_id=device_id,
        first_seen_ms=_number(fields.get("first_seen_ms", "")),
        last_seen_ms=_number(fields.get("last_seen_ms", "")),
        waiting_client=fields.get("waiting_client", ""),
        waiting_since_ms=_number(fields.get("waiting_since_ms", "")),
        language=cast("Language", language) if language in get_args(Language) else None,
        blocked=fields.get("blocked") == _YES,
        activated=fields.get("activated") == _YES,
        **{name: fields.get(name, "") for name in _TEXTS},
    )


_TEXTS: Final = ("board", "firmware", "accept_language", "name", "persona", "code", "client")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
