"""Inputs near to good ones: parts replaced, doubled and cut, and values that parsers trip over."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Final

from hypothesis import strategies as st

# Written in the place of a marked text, since Python itself would refuse to write some of them.
_MARKED: Final = {
    "@deep@": "[" * 960 + "]" * 960,
    "@wide@": '{"a":' * 120 + "0" + "}" * 120,
    "@digits@": "9" * 400,
    "@endless@": "9" * 5_000,
    "@number text@": '"' + "9" * 5_000 + '"',
    "@half@": r'"\ud83d"',
    "@other half@": r'"a\udc00b"',
    "@infinite@": "1e999",
    "@nan@": "NaN",
}
ODD_VALUES: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 2, 0.5, 1e300, 2**63, "", "0", "null", " ", "\x00", "<think>", "好"),
        *([], [None], [[]], [1, "a"], {}, {"": ""}, {"type": "text"}, {"text": [{"text": "a"}]}),
        *_MARKED,
    ]
)
_ODD_BYTES: Final = st.sampled_from(
    [
        *(b"", b"\x00", b"\xff", b"\n", b"\r\n", b" ", b"{", b"}", b"[", b"]", b'"', b"\\", b":", b"-"),
        *(b"null", b"true", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f", b"\xff\xff\xff\xff", b"\x7f\xff"),
        *(b"data:", b"data: [DONE]\n\n", b"error", b"OggS", b"RIFF", b"<think>", b"<tool_call>", b"}\n" * 40),
        *(b"9" * 300, b"[" * 300, b"a" * 300),
    ]
)


def written(value: Any) -> bytes:
    """Return a value as JSON, its marks written out."""
    text = json.dumps(value, ensure_ascii=False)
    for mark, odd in _MARKED.items():
        text = text.replace(f'"{mark}"', odd)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def json_like(draw: st.DrawFn, seeds: Sequence[Any]) -> bytes:
    """Draw JSON like one of the seeds, of which up to three values are others."""
    value = json.loads(json.dumps(draw(st.sampled_from(seeds))))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(value))
        if not places:
            break
        places[draw(st.integers(0, len(places) - 1))](deepcopy(draw(ODD_VALUES)))
    return written(value)


def _places(value: Any) -> Sequence[Callable[[Any], None]]:
    """Return a setter of each part of a value, a removal of each key among them."""
    found: list[Callable[[Any], None]] = []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found.append(lambda odd, key=key: value.__setitem__(key, odd))  # type: ignore[misc]
        if isinstance(value, dict):
            found.append(lambda _, key=key: value.pop(key, None))  # type: ignore[misc]
        found += _places(part)
    return found


@st.composite
def bytes_like(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Draw bytes like those of a seed, with up to four edits."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        match draw(st.integers(0, 4)):
            case 0:
                data = data[:start] + draw(_ODD_BYTES) + data[end:]
            case 1:
                data = data[:start] + draw(st.binary(max_size=8)) + data[end:]
            case 2:
                data = data[:end] + data[start:end] * draw(st.integers(1, 30)) + data[end:]
            case 3:
                data = data[:start]
            case _:
                data = data[:start] + data[end:]
    return data


def lines_like(seeds: Sequence[Any]) -> st.SearchStrategy[bytes]:
    """Draw up to six lines, each JSON like one of the seeds, or nearly so."""
    line = json_like(seeds) | json_like(seeds) | bytes_like([written(seed) for seed in seeds])
    return st.lists(line.map(lambda each: each.replace(b"\n", b"")), max_size=6).map(b"\n".join)
