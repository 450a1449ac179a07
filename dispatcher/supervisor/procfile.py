"""Reading a Procfile: `name: command` lines, as honcho and foreman read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dispatcher.errors import ConfigError

_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: the name of a process, and its shell command."""

    name: str
    command: str


def read_procfile(path: Path) -> tuple[Line, ...]:
    """Return the lines of a file, in its order.

    Raises:
        ConfigError: the file cannot be read, or some of its lines cannot be understood.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise ConfigError(
            [f"{path}: {error.strerror}; run this in the project's folder or name it by --procfile"]
        ) from error
    return parse_procfile(text, source=str(path))


def parse_procfile(text: str, *, source: str) -> tuple[Line, ...]:
    """Return the lines of a text; blank lines and comments are left out.

    Args:
        text: the file's content.
        source: the file's name, for problems.

    Raises:
        ConfigError: a line has no `name: command` form, a name stands twice, or there is no line at all.
    """
    lines: dict[str, Line] = {}
    problems: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        content = raw.strip()
        if not content or content.startswith("#"):
            continue
        match = _LINE.fullmatch(content)
        if match is None:
            problems.append(f"{source}:{number}: was {content!r}; expected `name: command`")
        elif match[1] in lines:
            problems.append(f"{source}:{number}: {match[1]} stands twice; each name may stand once")
        else:
            lines[match[1]] = Line(name=match[1], command=match[2])
    if not lines and not problems:
        problems.append(f"{source}: is empty; expected lines of the form `name: command`")
    if problems:
        raise ConfigError(problems)
    return tuple(lines.values())
