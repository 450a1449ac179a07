"""From the YAML file to the frozen catalogue, or to all that is wrong with it at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

import structlog
from pydantic import TypeAdapter, ValidationError

from dispatcher.catalogue.document import Document, read_document
from dispatcher.catalogue.known_hosts import completed
from dispatcher.catalogue.model import Catalogue, HealthRules, Playback
from dispatcher.catalogue.required_keys import warnings
from dispatcher.catalogue.schema import GlobalSettings, Root, default_name
from dispatcher.catalogue.validation_messages import catalogue_problems, report, schema_problems
from dispatcher.errors import ConfigError
from dispatcher.messages import SERVICES, Algorithm, Service

log = structlog.get_logger(__name__)

# Decode queue of firmware 2.5 and later; 2.x before it holds 40. Source: 78/xiaozhi-esp32, PR 2191.
MOST_LEAD_FRAMES: Final = 20


@cache
def _root() -> TypeAdapter[Root]:
    """Return the schema of a file, built on first use: 60 ms of CPU, which is for who reads one."""
    return TypeAdapter(Root)


def load_catalogue(
    path: Path, environ: Mapping[str, str] | None = None, *, log_warnings: bool = True
) -> Catalogue:
    """Return the catalogue of a YAML file.

    Args:
        path: shown in problems as it is given.
        environ: where `api_key_env` is looked up; the process's own variables when left out.
        log_warnings: off where another process has logged them of the same file.

    Raises:
        ConfigError: the file cannot be used; one problem for each thing to mend, in the file's order.
    """
    environ = os.environ if environ is None else environ
    catalogue = _catalogue(_checked(read_document(path), environ), str(path), log_warnings=log_warnings)
    for instance, reason in warnings(catalogue, environ) if log_warnings else ():
        log.warning("instance may not be what was meant", instance=instance.name, reason=reason)
    return catalogue


def _catalogue(root: Root, path: str, *, log_warnings: bool) -> Catalogue:
    balancing, gateway = root.load_balancing, root.load_balancing.api_gateway
    shared = {each.name: getattr(balancing.global_settings, each.name) for each in fields(HealthRules)}
    return Catalogue(
        path=path,
        services={"asr": gateway.asr_services, "llm": gateway.llm_services, "tts": gateway.tts_services},
        health=HealthRules(**shared),
        nginx=balancing.nginx_proxy,
        conversation=root.conversation,
        playback=_playback(root.playback, log_warnings=log_warnings),
        kpis=root.kpis,
        alerts=root.alerts,
        tuner=root.tuner,
        phrase_cache=root.phrase_cache,
        overload=root.overload,
        usage=root.usage,
        console=root.console,
        mcp_servers=tuple(replace(server, name=name) for name, server in root.mcp_servers.items()),
    )


def _checked(document: Document, environ: Mapping[str, str]) -> Root:
    """Return the file as its schema, or raise with every problem in it."""
    data, bare = completed(document.data)
    problems = [*document.problems, *catalogue_problems(data, environ, may_lack_keys=bare)]
    try:
        root = _root().validate_python(_with_services(data))
    except ValidationError as error:
        problems += schema_problems(error)
        raise ConfigError(report(document, problems)) from error
    if problems:
        raise ConfigError(report(document, problems))
    return root


def _with_services(data: Any) -> Any:
    """Return the file's data with what services and instances take from where they stand."""
    balancing = data.get("load_balancing") if isinstance(data, dict) else None
    gateway = balancing.get("api_gateway") if isinstance(balancing, dict) else None
    if not isinstance(balancing, dict) or not isinstance(gateway, dict):
        return data
    shared = balancing.get("global_settings")
    algorithm = shared.get("algorithm") if isinstance(shared, dict) else None
    is_known = algorithm in get_args(Algorithm)
    default = str(algorithm if is_known else GlobalSettings().algorithm)
    placed = {
        f"{service}_services": _placed(gateway[f"{service}_services"], service, default)
        for service in SERVICES
        if isinstance(gateway.get(f"{service}_services"), dict)
    }
    return {**data, "load_balancing": {**balancing, "api_gateway": {**gateway, **placed}}}


def _placed(section: dict[str, Any], service: Service, algorithm: str) -> dict[str, Any]:
    """Return a service's section whose instances have names, and which says how to choose among them."""
    given = section.get("instances")
    listed = given if isinstance(given, list) else []
    instances = [
        {**each, "#service": service, "name": each.get("name") or default_name(service, position)}
        if isinstance(each, dict)
        else each
        for position, each in enumerate(listed)
    ]
    placed = {**section, "#service": service, "algorithm": section.get("algorithm") or algorithm}
    return {**placed, "instances": instances} if listed else placed


def _playback(playback: Playback, *, log_warnings: bool) -> Playback:
    """Return the pace of audio; a lead that would overflow a device's decode queue is cut."""
    if playback.lead_frames <= MOST_LEAD_FRAMES:
        return playback
    if log_warnings:
        log.warning(
            "playback.lead_frames is above what a device holds and was cut",
            configured=playback.lead_frames,
            used=MOST_LEAD_FRAMES,
            reason="firmware 2.5 has a decode queue of 20 packets and drops what comes beyond it",
        )
    return replace(playback, lead_frames=MOST_LEAD_FRAMES)
