"""Names of tools as the APIs of LLMs take them, and the way back.

A device calls its tool `self.audio_speaker.set_volume`; an LLM may only say letters, digits, `_` and `-`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container
from typing import Final

MAX_CHARACTERS: Final = 64
_NOT_ALLOWED: Final = re.compile(r"[^a-zA-Z0-9_-]+")
_DIGEST_CHARACTERS: Final = 8


def llm_name(owner: str, name: str, *, taken: Container[str] = ()) -> str:
    """Return the name by which an LLM calls a tool; the same for the same tool in every process.

    Args:
        owner: a tool server's name, or empty for the device itself.
        name: as the owner knows it, of any characters.
        taken: names that are in use; two tools that look alike are told apart by a digest.
    """
    full = f"{owner}.{name}" if owner else name
    plain = _NOT_ALLOWED.sub("_", full).strip("_")
    if plain and len(plain) <= MAX_CHARACTERS and plain not in taken:
        return plain
    digest = hashlib.sha256(full.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{plain[: MAX_CHARACTERS - _DIGEST_CHARACTERS - 1]}_{digest}".strip("_")
