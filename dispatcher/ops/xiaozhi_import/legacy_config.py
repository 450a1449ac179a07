"""The other server's configuration as one mapping: its `config.yaml` under the user's `data/.config.yaml`.

Source: xinnan-tech/xiaozhi-esp32-server, main/xiaozhi-server/config.yaml and its comments.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from dispatcher.errors import ConfigError, in_words

BASE: Final = "config.yaml"
OWN: Final = Path("data/.config.yaml")
# Words in the sample file that stand where a key belongs; and what it writes where a service wants none.
_PLACEHOLDERS: Final = ("你的", "your", "选填")
_NO_KEYS: Final = frozenset({"none", "null", "lm-studio"})
UTF_8: Final = "UTF-8"
_KINDS: Final[Mapping[type, str]] = {list: "a list", str: "a text"}
_LONGEST_WORD: Final = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """What the other server would go by.

    Attributes:
        files: those that were read, the one that wins last.
        notes: what was odd about them, a line each.
    """

    files: tuple[Path, ...]
    data: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def section(self, *names: str) -> Mapping[str, Any]:
        """Return a section; an empty one where it is missing or no mapping."""
        found: Any = self.data
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, without what is none."""
        found = self.data.get(name)
        return [text for each in found if (text := text_of(each))] if isinstance(found, list) else []


def read_legacy(path: Path) -> Legacy:
    """Return the configuration of a folder, or of a file with its companion where that is there.

    Raises:
        ConfigError: nothing to read, or a file is no YAML.
    """
    files = [each for each in _files(path) if each.is_file()]
    if not files:
        raise ConfigError([f"{path}: no {BASE} and no {OWN} there; expected the folder of the other server"])
    data: Mapping[str, Any] = {}
    notes = []
    for each in files:
        try:
            text, encoding = _decoded(each)
            data = _merged(data, _read(each, text))
            if encoding != UTF_8:
                notes.append(
                    f"{each.name} is no UTF-8; it was read as {encoding}: look whether its words are right"
                )
        except RecursionError as error:
            raise ConfigError([f"{each}: sections stand too deep in each other to be read"]) from error
    return Legacy(files=tuple(files), data=data, notes=tuple(notes))


def kind_of(legacy: Legacy, module: str) -> str:
    """Return the type of the module in use of a kind such as Memory; its name is the user's own choice."""
    chosen = text_of(legacy.section("selected_module").get(module))
    return (text_of(legacy.section(module, chosen).get("type")) or chosen).lower()


def text_of(value: Any) -> str:
    """Return a value as a text; numbers too, since ids often are; nothing for what is neither."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).strip()


def word_of(value: Any) -> str:
    """Return a text for a line of a comment or of the screen: short, without signs that would end it."""
    text = "".join(sign if sign.isprintable() else " " for sign in text_of(value))
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_WORD else text[: _LONGEST_WORD - 1] + "…"


def key_of(value: Any) -> str:
    """Return a key; nothing for what the sample file writes where a service wants none."""
    text = text_of(value)
    return "" if text.lower() in _NO_KEYS else text


def is_placeholder(value: str) -> bool:
    """Return whether a text stands where a user never wrote a key."""
    return not value or any(word in value.lower() for word in _PLACEHOLDERS)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [path / BASE, path / OWN] if path.name != "data" else [path.parent / BASE, path.parent / OWN]
    if path.name == OWN.name:
        return [path.parent.parent / BASE, path]
    return [path, path.parent / OWN]


def _decoded(path: Path) -> tuple[str, str]:
    """Return the text of a file and its encoding: editors on Chinese Windows write GBK and UTF-16 as well.

    Raises:
        ConfigError: it cannot be read, or is no text in any of these encodings.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be read: {(error.strerror or in_words(error)).lower()}"]
        ) from error
    for encoding in _encodings(raw):
        with suppress(UnicodeDecodeError):
            return raw.decode(encoding), UTF_8 if encoding == "utf-8-sig" else encoding.upper()
    raise ConfigError(
        [f"{path}: is no text in UTF-8, UTF-16 or GBK; open it in an editor and save it as UTF-8"]
    )


def _encodings(raw: bytes) -> tuple[str, ...]:
    """Return the encodings that bytes may be a text in, the likeliest first."""
    if raw.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return ("utf-32",)
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    # The signs of YAML itself are ASCII: in UTF-16 every second byte of them is zero.
    if b"\0" in raw:
        return ("utf-16-le", "utf-16-be") if raw[1::2].count(0) > raw[::2].count(0) else ("utf-16-be",)
    return ("utf-8-sig", "gb18030")


def _read(path: Path, text: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        redis = f":{mark.line + 1}" if mark else ""
        raise ConfigError([f"{path}{redis}: is not readable as YAML"]) from error
    if found is not None and not isinstance(found, dict):
        raise ConfigError([f"{path}: holds {_KINDS.get(type(found), 'a single value')}; expected a mapping"])
    return found or {}


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return both, section by section; what is over wins."""
    merged = dict(under)
    for name, value in over.items():
        before = merged.get(name)
        merged[name] = (
            _merged(before, value) if isinstance(before, Mapping) and isinstance(value, Mapping) else value
        )
    return merged
