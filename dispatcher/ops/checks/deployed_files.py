"""Files of a deployment as they lie on the disk: nginx's folder, and the compose file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from dispatcher.ops.nginx.render import FRONTS_FOLDER, UPSTREAMS

WEIGHT: Final = "INSTANCE_WEIGHT"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeFile:
    """A compose file.

    Attributes:
        services: as they stand there; those of a profile too.
        weights: INSTANCE_WEIGHT of each service that has one, its env files read.
        problems: why something of it could not be read.
    """

    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read_nginx_files(folder: Path | None) -> Mapping[str, str] | None:
    """Return the text of the files that the YAML alone decides, by name; None without a folder."""
    if folder is None:
        return None
    paths = [folder / UPSTREAMS, *(folder / FRONTS_FOLDER).glob("*.env")]
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in paths if path.is_file()}


def read_compose(path: Path | None) -> ComposeFile | None:
    """Return a compose file; None where none was named."""
    if path is None:
        return None
    try:
        services = yaml.safe_load(path.read_text("utf-8"))["services"]
        found = {str(name): dict(each) for name, each in services.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        return ComposeFile(problems=(f"{path}: cannot be read: {type(error).__name__}",))
    problems: list[str] = []
    weights = {name: _weight(each, path.parent, problems) for name, each in found.items()}
    given = {name: weight for name, weight in weights.items() if weight is not None}
    return ComposeFile(services=found, weights=given, problems=tuple(problems))


def _weight(service: Mapping[str, Any], folder: Path, problems: list[str]) -> str | None:
    """Return the weight of a service: what `environment` says wins over its env files."""
    environment = service.get("environment") or {}
    if isinstance(environment, list):
        environment = dict(str(each).split("=", 1) for each in environment if "=" in str(each))
    if WEIGHT in environment:
        return str(environment[WEIGHT])
    files = service.get("env_file") or []
    weight = None
    for name in [files] if isinstance(files, str) else files:
        try:
            lines = (folder / str(name)).read_text("utf-8").splitlines()
        except OSError:
            problems.append(f"{name}: cannot be read")
            continue
        weight = next((line.partition("=")[2] for line in lines if line.startswith(f"{WEIGHT}=")), weight)
    return weight
