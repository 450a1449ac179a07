"""Process spec of a Procfile line, read from its command: the role, the address, the queues."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal, NamedTuple

from dispatcher.bundled.voices.chinese_voices import description
from dispatcher.errors import ConfigError
from dispatcher.redis_url import parse_redis_url
from dispatcher.settings import load_settings
from dispatcher.supervisor.procfile import Line

Role = Literal["broker", "front", "worker", "beat", "flower", "console", "instance", "other"]

# A command with any of these needs a shell; others are started directly: the process id is then their own.
_SHELL_CHARACTERS: Final = frozenset("|&;<>()$`*?~{}#")
_ASSIGNMENT: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_EVERY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  compared, not bound
_WHAT: Final[Mapping[Role, str]] = {
    "broker": "broker and state",
    "front": "devices, talk page",
    "beat": "schedule",
    "flower": "tasks and workers",
    "console": "live page, metrics",
}


class ListenAddress(NamedTuple):
    """Where a process listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Return it as it stands in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def reachable(self) -> ListenAddress:
        """The address to connect to from this machine."""
        return ListenAddress("127.0.0.1", self.port) if self.host in _EVERY_ADDRESS else self


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """One process that `dispatcher up` runs.

    Attributes:
        argv: program and arguments, or the shell with the command.
        in_shell: the command runs in a shell, so its processes are signalled as a group.
        assignments: variables that the line sets in front of its command.
        address: where it listens; None when it does not.
        queues: what a worker consumes.
        metrics: where a front or worker serves what it alone knows; None where it does not.
        what: for the operator, in two or three words.
    """

    name: str
    role: Role
    argv: tuple[str, ...]
    in_shell: bool = False
    assignments: Mapping[str, str]
    address: ListenAddress | None = None
    queues: tuple[str, ...] = ()
    metrics: ListenAddress | None = None
    what: str


def spec_of(line: Line, environ: Mapping[str, str]) -> ProcessSpec:
    """Return what a line runs.

    Args:
        line: one line of the Procfile.
        environ: variables that the process will see, apart from those that the line sets itself.

    Raises:
        ConfigError: the quotes of the command are not closed, or a variable is wrong.
    """
    try:
        words = shlex.split(line.command)
    except ValueError as error:
        raise ConfigError([f"Procfile: {line.name}: {line.command!r}: {error}"]) from error
    assignments, argv = _split_assignments(words)
    in_shell = bool(_SHELL_CHARACTERS & set(line.command))
    role = _role(argv)
    return ProcessSpec(
        name=line.name,
        role=role,
        argv=("/bin/sh", "-c", line.command) if in_shell else tuple(argv),
        in_shell=in_shell,
        assignments=assignments,
        address=_address(role, argv, {**environ, **assignments}),
        queues=_queues(argv) if role == "worker" else (),
        what=_what(role, argv, {**environ, **assignments}),
    )


def _split_assignments(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return the variables in front of a command, and the command without `exec`."""
    assignments: dict[str, str] = {}
    for index, word in enumerate(words):
        match = _ASSIGNMENT.fullmatch(word)
        if match is None:
            rest = words[index:]
            return assignments, rest[1:] if rest[0] == "exec" else rest
        assignments[match[1]] = match[2]
    return assignments, []


def _role(argv: list[str]) -> Role:
    program = PurePath(argv[0]).name if argv else ""
    match [program, *argv[1:]]:
        case ["dispatcher", ("broker" | "front" | "flower" | "console" | "instance") as role, *_]:
            return role
        case ["celery", *options] if "worker" in options:
            return "worker"
        case ["celery", *options] if "beat" in options:
            return "beat"
        case _:
            return "other"


def _address(role: Role, argv: list[str], environ: Mapping[str, str]) -> ListenAddress | None:
    if role == "broker":
        return ListenAddress(*parse_redis_url(load_settings(environ).redis_url).hosts[0])
    if role == "front":
        settings = load_settings(environ)
        return ListenAddress(settings.front_host, settings.front_port)
    if role == "flower":
        settings = load_settings(environ)
        return ListenAddress(settings.flower_host, settings.flower_port)
    if role == "console":
        settings = load_settings(environ)
        return ListenAddress(settings.console_host, settings.console_port)
    port = _option(argv, "--port") if role == "instance" else None
    if port is None or not port.isdigit():
        return None
    return ListenAddress(_option(argv, "--host") or "127.0.0.1", int(port))


def _queues(argv: list[str]) -> tuple[str, ...]:
    names = _option(argv, "-Q") or _option(argv, "--queues") or ""
    return tuple(name for name in names.split(",") if name)


def _what(role: Role, argv: list[str], environ: Mapping[str, str]) -> str:
    match role:
        case "worker":
            return f"worker, queue {', '.join(_queues(argv)) or 'all'}"
        case "instance":
            return f"built-in {argv[2] if len(argv) > 2 else 'instance'}{_voice(argv, environ)}"
        case "other":
            return PurePath(argv[0]).name if argv else "shell"
        case _:
            return _WHAT[role]


def _voice(argv: list[str], environ: Mapping[str, str]) -> str:
    """Return which voice reads Chinese, for an instance that speaks."""
    if argv[2:3] != ["tts"] or _option(argv, "--engine") not in {None, "voices"} or "chinese=off" in argv:
        return ""
    return f", {description(environ)}"


def _option(argv: list[str], name: str) -> str | None:
    """Return the value of `--name value` or `--name=value`."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word == name:
            return following or None
        if word.startswith(f"{name}="):
            return word.removeprefix(f"{name}=")
    return None
