"""Sections of the YAML: dataclasses whose fields are its keys."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, get_args, get_type_hints

from pydantic import ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo


def key(name: str, *, description: str = "") -> Any:
    """Return what gives a field another key in the YAML; one that begins with # is not for the file."""
    return Field(alias=name, description=description or None)


def or_defaults(value: Any) -> Any:
    """Return an empty section for a key without a value."""
    return {} if value is None else value


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlKey:
    """A key of a section; `section` is what stands below it, where that is one."""

    name: str
    is_optional: bool
    description: str | None
    section: type[Section] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A mapping of the YAML: no unknown keys; one without a value counts as left out."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        optional = {name for name, each in keys_of(cls).items() if each.is_optional}
        return {name: value for name, value in data.items() if value is not None or name not in optional}


_KEYS: dict[type[Section], Mapping[str, YamlKey]] = {}


def keys_of(section: type[Section]) -> Mapping[str, YamlKey]:
    """Return the keys that the YAML may have in a section."""
    if section not in _KEYS:
        hints = get_type_hints(section, include_extras=True)
        found = (_yaml_key(each, hints[each.name]) for each in fields(section))
        _KEYS[section] = {each.name: each for each in found if not each.name.startswith("#")}
    return _KEYS[section]


def _yaml_key(each: dataclasses.Field[Any], hint: Any) -> YamlKey:
    infos = [info for info in getattr(hint, "__metadata__", ()) if isinstance(info, FieldInfo)]
    return YamlKey(
        name=next((info.alias for info in infos if info.alias), each.name),
        is_optional=each.default is not MISSING or each.default_factory is not MISSING,
        description=next((info.description for info in infos if info.description), None),
        section=_section_in(hint),
    )


def _section_in(hint: Any) -> type[Section] | None:
    """Return the section inside `X | None`, a tuple of `X` or a mapping to `X`."""
    if isinstance(hint, type) and issubclass(hint, Section):
        return hint
    return next((found for part in get_args(hint) if (found := _section_in(part))), None)
