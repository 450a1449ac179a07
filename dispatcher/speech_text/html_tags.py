"""HTML tags inside a reply: which are markup, which begin a line, and which are no tags at all."""

from __future__ import annotations

import re
from typing import Final

_TAG: Final = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<rest>[^<>]*)>")
_VALUES: Final = re.compile(r"[\w:.-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+)")
_LINES: Final = frozenset("br p li div tr ul ol table h1 h2 h3 h4 h5 h6 hr blockquote".split())
_SHORT: Final = frozenset("a b i u s p q em br hr h1 h2 h3 h4 h5 h6 li ul ol dl dt dd td th tr rt rp".split())


def spoken_tag(tag: str) -> str:
    """Return what is said for a tag: nothing or a line end; a comparison (a<b and c>d) as it is."""
    found = _TAG.fullmatch(tag)
    if found is None:
        # A comment, a declaration, an instruction.
        return ""
    name = found["name"].lower()
    bare = _VALUES.sub("", found["rest"]).strip(" /\n\t")
    if bare or (len(name) < 3 and name not in _SHORT):
        return tag
    return "\n" if name in _LINES else ""
