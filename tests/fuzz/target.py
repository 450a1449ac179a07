"""Targets of fuzzing: what reads bytes from outside, and what it may answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

from hypothesis import strategies as st

from dispatcher.errors import DispatcherError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader.

    Attributes:
        cases: what it is given.
        check: reads one case; raises where anything but the documented happens.
        weight: its share of a long run; one that is slow has less.
    """

    name: str
    cases: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    weight: float = 1.0


_RUNNERS: Final[list[asyncio.Runner]] = []


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Return what a coroutine comes to, on one loop for all cases."""
    if not _RUNNERS:
        _RUNNERS.append(asyncio.Runner())
    return _RUNNERS[0].run(work)


def close_loop() -> None:
    """Close the loop of the cases."""
    while _RUNNERS:
        _RUNNERS.pop().close()


@contextmanager
def only(*expected: type[DispatcherError]) -> Iterator[None]:
    """Let only these errors pass; each has words that can be sent on."""
    found: DispatcherError | None = None
    try:
        yield
    except expected as error:
        found = error
    if found is not None:
        assert str(found).strip(), f"{type(found).__name__} says nothing"
        require_text(str(found))


def require_text(found: Any) -> None:
    """Do nothing where every text in a result can be sent on as UTF-8, and JSON of it as well."""
    if isinstance(found, str):
        found.encode()
    elif isinstance(found, (list, tuple)):
        for part in found:
            require_text(part)
    elif isinstance(found, dict):
        require_text(list(found))
        require_text(list(found.values()))
    elif is_dataclass(found) and not isinstance(found, type):
        require_text([getattr(found, each.name) for each in fields(found)])


def slices_of(data: bytes) -> list[bytes]:
    """Return data in slices whose sizes follow from itself, so that a case is its bytes alone."""
    size = (len(data) + sum(data[:8])) % 23 + 1
    return [data[at : at + size] for at in range(0, len(data), size)]


class Content:
    """Body of a response as aiohttp lends it."""

    def __init__(self, data: bytes) -> None:
        self._parts = slices_of(data)

    async def iter_any(self) -> AsyncIterator[bytes]:
        while self._parts:
            yield self._parts.pop(0)

    async def read(self, size: int = -1) -> bytes:
        data, self._parts = b"".join(self._parts), []
        if 0 <= size < len(data):
            self._parts = [data[size:]]
            data = data[:size]
        return data


@dataclass
class Response:
    """A response of a model server whose body is the case."""

    content: Content
    connection: None = None


def response_of(data: bytes) -> Any:
    """Return a response with a body."""
    return Response(Content(data))


def messages_of(data: bytes) -> list[str | bytes]:
    """Return a case as messages: a line is one, as text where it is UTF-8."""
    messages: list[str | bytes] = []
    for line in data.split(b"\n"):
        try:
            messages.append(line.decode())
        except UnicodeDecodeError:
            messages.append(line)
    return messages


def loaded(data: bytes) -> Any:
    """Return the JSON of a case; None where it is none."""
    with suppress(ValueError, RecursionError):
        return json.loads(data)
    return None
