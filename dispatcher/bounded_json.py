"""JSON from outside, bounded: what is read can be walked, shown and sent on by anybody.

`json.loads` takes as many levels as the stack of its caller has left, which may be more than those have who
walk the value later; and it takes half of a surrogate pair for a sign, which no UTF-8 can carry.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

MAX_JSON_DEPTH: Final = 100
_HALF_SIGN: Final = re.compile(r"\\u[dD][89a-fA-F]")


def read_json(raw: str | bytes, *, strict: bool = True) -> Any:
    """Return the value of a JSON text, with U+FFFD in the place of half a sign.

    Args:
        raw: a text, or its UTF-8.
        strict: line ends and tabs in texts are refused.

    Raises:
        ValueError: it is no JSON, no UTF-8, or more than 100 levels deep.
    """
    text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
    try:
        value = json.loads(text, strict=strict)
    except RecursionError as error:
        raise ValueError(f"more than {MAX_JSON_DEPTH} levels in each other") from error
    if text.count("[") + text.count("{") > MAX_JSON_DEPTH and _is_deep(value):
        raise ValueError(f"more than {MAX_JSON_DEPTH} levels in each other")
    if "\\u" in text and _HALF_SIGN.search(text):
        written = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
        value = json.loads(written.decode("utf-16", "replace"))
    return value


def _is_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        holders = [each for each in level if isinstance(each, (dict, list))]
        if not holders:
            return False
        level = [part for each in holders for part in (each.values() if isinstance(each, dict) else each)]
    return True
