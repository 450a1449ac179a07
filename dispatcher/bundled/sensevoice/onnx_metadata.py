"""Metadata of an ONNX file, read without its graph.

Source: onnx.proto: `metadata_props` is field 14 of ModelProto, each entry has a key (1) and a value (2).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_METADATA: Final = 14
_KEY: Final = 1
_VALUE: Final = 2
_VARINT: Final = 0
_BYTES: Final = 2
_VARINT_BYTES: Final = 10


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a model.

    Raises:
        ValueError: it is no ONNX file.
        OSError: it cannot be read.
    """
    found = {}
    with path.open("rb") as file:
        for entry in _fields(file, _METADATA):
            key, value = (b"".join(_fields(io.BytesIO(entry), number)) for number in (_KEY, _VALUE))
            found[key.decode()] = value.decode()
    return found


def _fields(file: BinaryIO, wanted: int) -> Iterator[bytes]:
    """Yield the content of each field of a number; the others are passed over."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    while file.tell() < size:
        number, kind = divmod(_varint(file), 8)
        if kind not in (_VARINT, _BYTES):
            raise ValueError("it is no ONNX file")
        length = _varint(file)
        if kind == _VARINT:
            continue
        if file.tell() + length > size:
            raise ValueError("it is no ONNX file, or not all of one")
        if number == wanted:
            yield file.read(length)
        else:
            file.seek(length, io.SEEK_CUR)


def _varint(file: BinaryIO) -> int:
    value = 0
    for at in range(_VARINT_BYTES):
        (byte,) = file.read(1) or b"\x80"
        value |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            return value
    raise ValueError("it is no ONNX file")
