"""Our YAML with its comments, the env file with the keys, and the list of what is left out."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.secrets import secret_problem
from dispatcher.data_dir import write_private
from dispatcher.errors import ConfigError, StartError
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.xiaozhi_import.conversation_import import conversation_lines, left_behind, quoted
from dispatcher.ops.xiaozhi_import.legacy_config import Legacy, is_placeholder, text_of, word_of
from dispatcher.ops.xiaozhi_import.module_table import Moved, NotMoved, move

ALGORITHMS: Final[Mapping[Service, str]] = {
    "asr": "least_connections",
    "llm": "response_time",
    "tts": "weighted_round_robin",
}
# Where `make run` has its built-in instances, and how many calls each takes (config/embedded.yaml).
BUILT_IN: Final[Mapping[Service, tuple[int, int]]] = {
    "asr": (8100, 8101),
    "llm": (8200, 8201),
    "tts": (8300, 8301),
}
_CAPS: Final[Mapping[Service, int]] = {"asr": 2, "llm": 8, "tts": 8}
_IMPOSSIBLE: Final = re.compile(r"[^A-Za-z0-9.-]+")


@dataclass(slots=True, kw_only=True)
class Import:
    """What an import makes, as far as it has come.

    Attributes:
        text: the YAML.
        secrets: by variable.
        taken: what was taken over, a line each.
        left: what was not, and why, a line each.
        spares: built-in instances that stand by for what was taken over.
        unselected: modules of the other server that were not in use there, such as "LLM OllamaLLM".
    """

    text: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    spares: list[str] = field(default_factory=list)
    unselected: Sequence[str] = ()


def convert(legacy: Legacy) -> Import:
    """Return our configuration for the other server's."""
    made = Import(left=list(legacy.notes), unselected=tuple(_unselected(legacy)))
    lines = [
        "# Taken over by `dispatcher import-xiaozhi`; every key is explained in config/load_balancing.yaml."
    ]
    lines += ["# Keys stand in the env file beside it, never here.", "load_balancing:", "  api_gateway:"]
    for service in SERVICES:
        lines += [f"    {service}_services:", f"      algorithm: {ALGORITHMS[service]}", "      instances:"]
        lines += _instances(legacy, service, made)
    lines += ["", *conversation_lines(legacy, made.taken, made.left)]
    made.left += left_behind(legacy)
    made.text = "\n".join(lines) + "\n"
    return made


def write_import(made: Import, *, source: Path, output: Path, force: bool) -> Path:
    """Write the YAML and the keys beside it, and check the result as every start does; return the env file.

    Raises:
        StartError: a file is there already, or cannot be written.
        ConfigError: what was written has problems; it stays, to be mended.
    """
    env_file = output.with_suffix(".env")
    for file in (output, env_file):
        if file.exists() and not force:
            raise StartError(f"{file} is there already; choose another --output, or --force to write over it")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(made.text, "utf-8")
        if made.secrets:
            env_file.unlink(missing_ok=True)  # a process that has it open reads no keys
            lines = (f"{name}={shlex.quote(value)}\n" for name, value in made.secrets.items())
            write_private(env_file, "".join(lines))
    except OSError as error:
        raise StartError(f"{output}: cannot be written: {error}") from error
    try:
        # A key that was never filled in is reported by the command, and refused at start by its name.
        load_catalogue(output, {**os.environ, **dict.fromkeys(made.secrets, "set")})
    except ConfigError as error:
        hint = (
            f"{output} stays as it was written: mend it there, or mend {source} and import again with --force"
        )
        raise ConfigError([*error.problems, hint]) from error
    return env_file


def _instances(legacy: Legacy, service: Service, made: Import) -> Iterator[str]:
    """Yield the lines of a service's instances: the selected module, and ours beside it or in its place."""
    chosen = text_of(legacy.section("selected_module").get(service.upper()))
    module = legacy.section(service.upper(), chosen)
    outcome = move(service, module) if module else NotMoved(reason="its section is missing")
    if isinstance(outcome, Moved):
        yield from _moved_lines(service, chosen, outcome, made)
        made.spares.append(f"{service}-1")
        yield "        # Built in; has calls only while the one above is out. Not started without this line."
        yield _built_in(service, 1, priority="standby")
        return
    named = f"{service.upper()} {word_of(chosen)}" if chosen else f"{service.upper()}: none was selected"
    made.left.append(f"{named}: {outcome.reason}; the built-in instances take its place")
    yield f"        # {named} was not taken over: {outcome.reason}."
    yield from (_built_in(service, number) for number in (1, 2))


def _built_in(service: Service, number: int, *, priority: str = "") -> str:
    """Return the line of a built-in instance, the first or the second one."""
    keys = f'name: {service}-{number}, endpoint: "http://127.0.0.1:{BUILT_IN[service][number - 1]}"'
    wanted = f", priority: {priority}" if priority else ""
    return f"        - {{{keys}{wanted}, max_concurrent: {_CAPS[service]}}}"


def _unselected(legacy: Legacy) -> Iterator[str]:
    """Yield the modules of the three services that were not in use."""
    for service in SERVICES:
        kind = service.upper()
        chosen = text_of(legacy.section("selected_module").get(kind))
        yield from (f"{kind} {word_of(name)}" for name in legacy.section(kind) if name != chosen)


def _moved_lines(service: Service, chosen: str, moved: Moved, made: Import) -> Iterator[str]:
    name = _IMPOSSIBLE.sub("-", chosen).strip("-.").lower()[:60] or "own"
    # The names of ours are taken: llm-1 is the standby of it.
    if name.removesuffix("-1").removesuffix("-2") in SERVICES:
        name = f"my-{name}"
    if moved.note:
        yield f"        # {moved.note}."
    yield f"        - name: {quoted(name)}"
    for key, value in moved.keys.items():
        yield f"          {key}: {quoted(value)}"
    for key, secret in moved.secrets.items():
        variable = f"{service}_{_IMPOSSIBLE.sub('_', chosen).strip('_')}_{key.removesuffix('_env')}"
        variable = re.sub(r"[^A-Z0-9]+", "_", variable.upper())
        made.secrets[variable] = secret
        yield f"          {key}: {variable}"
        if is_placeholder(secret):
            made.left.append(
                f"{service.upper()} {word_of(chosen)}: its key was never filled in; write it to {variable}"
            )
        elif problem := secret_problem(secret).removeprefix("which "):
            made.left.append(f"{service.upper()} {word_of(chosen)}: its key {problem}; mend {variable}")
    if moved.lost:
        names = ", ".join(word_of(option) for option in moved.lost)
        made.left.append(f"{service.upper()} {word_of(chosen)}: {names}: its instance here has no such key")
    note = f" ({moved.note})" if moved.note else ""
    made.taken.append(
        f"{service.upper()} {word_of(chosen)} as {moved.keys.get('provider', 'openai_http')}{note}"
    )
