"""Server-sent events whose data is JSON, as model servers really send them.

Lines are split and fields read by the standard (WHATWG HTML, "Event stream interpretation"): CR, LF or CRLF,
one optional space after the colon, data of several lines, comments, a byte order mark. Beyond it: a last line
without an end counts, a data line that is a whole object needs no empty line after it, and a body that is no
event stream but JSON (the server ignored `stream: true`) is one chunk, one for each line, or a list of them.
Bytes that are no UTF-8, as of a token that is half a character, spoil one character and not their chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from dispatcher.bounded_json import read_json

MAX_PENDING_BYTES: Final = 1_000_000
# Of one chunk that is written over several lines.
MAX_TRIES: Final = 100
_BOM: Final = b"\xef\xbb\xbf"
_DONE: Final = b"[DONE]"
_SHOWN_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class Malformed:
    """Data that is no JSON object; its beginning."""

    data: bytes


# A chunk, the end, a sign of life that carries nothing, or data that cannot be read.
StreamItem: TypeAlias = "dict[str, Any] | Literal['done', 'comment'] | Malformed"


class EventStreamDecoder:
    """Decoder of one stream; slices of any size give the same items.

    Attributes:
        is_json_body: it is no event stream, but JSON.
    """

    def __init__(self) -> None:
        """Begin with the first byte."""
        self._rest = b""
        self._skip_lf = False
        self._data: list[bytes] = []
        self._tries = 0
        self._event = b""
        self._is_first = True
        self.is_json_body = False

    @property
    def pending_bytes(self) -> int:
        """How much is kept of an item that is not whole yet."""
        return len(self._rest) + sum(map(len, self._data))

    def feed(self, part: bytes) -> list[StreamItem]:
        """Return the items that these bytes complete."""
        if self._skip_lf and part:
            part = part.removeprefix(b"\n")
            self._skip_lf = False
        lines = (self._rest + part).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\r", b"\n")) else b""
        # Its LF, if there is one, comes with the next bytes.
        self._skip_lf = not self._rest and bool(lines) and lines[-1].endswith(b"\r")
        items: list[StreamItem] = []
        for line in lines:
            self._take_line(line.rstrip(b"\r\n"), items)
        return items

    def finish(self) -> list[StreamItem]:
        """Return what the end of the stream completes."""
        items: list[StreamItem] = []
        if self._rest:
            self._take_line(self._rest, items)
            self._rest = b""
        self._dispatch(items)
        return items

    def _take_line(self, line: bytes, items: list[StreamItem]) -> None:
        if self._is_first:
            line = line.removeprefix(_BOM)
            self._is_first = not line.strip()
            self.is_json_body = line.lstrip().startswith((b"{", b"["))
        if self.is_json_body:
            self._take_data(line, items)
            return
        if not line:
            self._dispatch(items)
            return
        field, _, value = line.partition(b":")
        # A proxy may frame frames anew.
        value = value.removeprefix(b" ").removeprefix(b"data: ")
        if field == b"data":
            self._take_data(value, items)
        elif field == b"event":
            self._event = value.strip()
        elif not field:
            items.append("comment")

    def _take_data(self, value: bytes, items: list[StreamItem]) -> None:
        """Take in one line of data; it is dispatched at once where it makes a whole chunk."""
        bare = value.strip()
        if not self._data and not bare:
            return
        self._data.append(value)
        if bare == _DONE:
            self._data.pop()
            self._dispatch(items)
            items.append("done")
        elif (bare.startswith(b"{") and bare.endswith(b"}")) or value.rstrip() == b"}":
            self._try_dispatch(value, items)

    def _try_dispatch(self, last: bytes, items: list[StreamItem]) -> None:
        """Dispatch what is pending if it is a chunk; so is a last line that is one by itself.

        Each try reads all that is pending, so that there are few; what is left waits for its empty line.
        """
        self._tries += 1
        if self._tries > MAX_TRIES:
            return
        if (chunk := _as_object(b"\n".join(self._data))) is not None:
            self._data.clear()
            self._tries = 0
            items.append(self._named(chunk))
        elif len(self._data) > 1 and (chunk := _as_object(last)) is not None and not self.is_json_body:
            self._data.pop()
            items += [Malformed(b"\n".join(self._data)[:_SHOWN_BYTES]), self._named(chunk)]
            self._data.clear()
            self._tries = 0

    def _dispatch(self, items: list[StreamItem]) -> None:
        data, self._data, self._tries = b"\n".join(self._data), [], 0
        if data.strip():
            chunks = _as_objects(data)
            items += [self._named(chunk) for chunk in chunks] or [Malformed(data[:_SHOWN_BYTES])]
        self._event = b""

    def _named(self, chunk: dict[str, Any]) -> dict[str, Any]:
        """Return a chunk; one of an event of errors is the error itself."""
        return {"error": chunk} if self._event == b"error" and not chunk.get("error") else chunk


def _as_object(data: bytes) -> dict[str, Any] | None:
    try:
        found = read_json(data.decode("utf-8", "replace"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _as_objects(data: bytes) -> list[dict[str, Any]]:
    """Return an object, or those of a list, which Gemini's own API streams."""
    try:
        found = read_json(data.decode("utf-8", "replace"))
    except ValueError:
        return []
    return [each for each in (found if isinstance(found, list) else [found]) if isinstance(each, dict)]
