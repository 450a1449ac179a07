"""From the YAML file to the frozen catalogue, or to all that is wrong with it at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import BaseModel, ValidationError

from dispatcher.catalogue.conversation import Conversation, FillerRules
from dispatcher.catalogue.document import Document, read_document
from dispatcher.catalogue.known_hosts import completed
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.catalogue.model import (
    AlertRules,
    Catalogue,
    ConnectionPool,
    HealthRules,
    Instance,
    KpiTargets,
    NginxProxy,
    Playback,
    ServiceConfig,
    TunerRules,
    UpstreamServer,
)
from dispatcher.catalogue.personas import DeviceRule, MemoryRules, Persona
from dispatcher.catalogue.required_keys import warnings
from dispatcher.catalogue.schema import (
    BoundSection,
    ConversationSection,
    KpisSection,
    NginxSection,
    PlaybackSection,
    Root,
    ServiceSection,
    default_name,
)
from dispatcher.catalogue.validation_messages import catalogue_problems, report, schema_problems
from dispatcher.errors import ConfigError
from dispatcher.messages import Algorithm, Service, canonical_device_id

log = structlog.get_logger(__name__)

DEFAULT_ALGORITHM: Algorithm = "weighted_round_robin"
# Decode queue of firmware 2.5 and later; 2.x before it holds 40. Source: 78/xiaozhi-esp32, PR 2191.
MOST_LEAD_FRAMES: Final = 20


def load_catalogue(path: Path, environ: Mapping[str, str] | None = None) -> Catalogue:
    """Return the catalogue of a YAML file.

    Args:
        path: shown in problems as it is given.
        environ: where `api_key_env` is looked up; the process's own variables when left out.

    Raises:
        ConfigError: the file cannot be used; one problem for each thing to mend, in the file's order.
    """
    environ = os.environ if environ is None else environ
    root = _checked(read_document(path), environ)
    balancing = root.load_balancing
    shared = balancing.global_settings
    algorithm = (shared and shared.algorithm) or DEFAULT_ALGORITHM
    gateway = balancing.api_gateway
    sections: dict[Service, ServiceSection] = {
        "asr": gateway.asr_services,
        "llm": gateway.llm_services,
        "tts": gateway.tts_services,
    }
    services = {service: _service(service, section, algorithm) for service, section in sections.items()}
    catalogue = Catalogue(
        path=str(path),
        services=services,
        health=HealthRules(**_given(shared, without={"algorithm"})),
        nginx=_nginx(balancing.nginx_proxy),
        conversation=_conversation(root.conversation),
        playback=_playback(root.playback),
        kpis=_kpis(root.kpis),
        alerts=AlertRules(**_given(root.alerts)),
        tuner=TunerRules(**_given(root.tuner)),
        mcp_servers=_mcp_servers(root),
    )
    for instance, reason in warnings(catalogue, environ):
        log.warning("instance may not be what was meant", instance=instance.name, reason=reason)
    return catalogue


def _checked(document: Document, environ: Mapping[str, str]) -> Root:
    """Return the file as its schema, or raise with every problem in it."""
    data, bare = completed(document.data)
    problems = [*document.problems, *catalogue_problems(data, environ, may_lack_keys=bare)]
    try:
        root = Root.model_validate(data)
    except ValidationError as error:
        problems += schema_problems(error)
        raise ConfigError(report(document, problems)) from error
    if problems:
        raise ConfigError(report(document, problems))
    return root


def _given(section: BaseModel | None, *, without: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """Return what the file really says, so that every default stays in `model.py`."""
    if section is None:
        return {}
    names = type(section).model_fields.keys() - without
    return {name: value for name in names if (value := getattr(section, name)) is not None}


def _service(service: Service, section: ServiceSection, algorithm: Algorithm) -> ServiceConfig:
    """Return one service with its instances, named by their place where they have no name."""
    instances = (
        Instance(service=service, **{"name": default_name(service, position)} | _given(instance))
        for position, instance in enumerate(section.instances)
    )
    return ServiceConfig(
        service=service,
        **({"algorithm": algorithm} | _given(section) | {"instances": tuple(instances)}),
    )


def _nginx(section: NginxSection | None) -> NginxProxy:
    """Return the nginx part; without upstream servers where the file has none."""
    if section is None:
        return NginxProxy()
    servers = (UpstreamServer(**_given(server)) for server in section.upstream_servers or [])
    return NginxProxy(
        upstream_servers=tuple(servers), connection_pool=ConnectionPool(**_given(section.connection_pool))
    )


def _playback(section: PlaybackSection | None) -> Playback:
    """Return the pace of audio; a lead that would overflow a device's decode queue is cut."""
    playback = Playback(**_given(section))
    if playback.lead_frames <= MOST_LEAD_FRAMES:
        return playback
    log.warning(
        "playback.lead_frames is above what a device holds and was cut",
        configured=playback.lead_frames,
        used=MOST_LEAD_FRAMES,
        reason="firmware 2.5 has a decode queue of 20 packets and drops what comes beyond it",
    )
    return replace(playback, lead_frames=MOST_LEAD_FRAMES)


def _conversation(section: ConversationSection | None) -> Conversation:
    """Return the dialogue's settings; device ids in the form that the front gives them."""
    if section is None:
        return Conversation()
    devices = {
        canonical_device_id(name): DeviceRule(**_words(rule))
        for name, rule in (section.devices or {}).items()
    }
    personas = {name: Persona(**_words(persona)) for name, persona in (section.personas or {}).items()}
    given = _words(section, without={"devices", "personas", "memory", "filler"})
    memory = MemoryRules(**_given(section.memory))
    filler = _filler(section)
    return Conversation(devices=devices, personas=personas, memory=memory, filler=filler, **given)


def _filler(section: ConversationSection) -> FillerRules:
    """Return the filler: a language that has no list of its own keeps the default phrases."""
    given = section.filler
    if given is None:
        is_off = "filler" in section.model_fields_set
        return FillerRules(after_ms=0) if is_off else FillerRules()
    rules = _given(given)
    phrases = {language: tuple(texts) for language, texts in rules.pop("phrases", {}).items()}
    return FillerRules(phrases={**FillerRules().phrases, **phrases}, **rules)


def _words(section: BaseModel | None, *, without: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    """Return what a section says, its lists frozen."""
    given = _given(section, without=without)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _mcp_servers(root: Root) -> tuple[McpServer, ...]:
    """Return the tool servers in the file's order."""
    return tuple(
        McpServer(**{"name": name} | {key: _frozen(value) for key, value in _given(section).items()})
        for name, section in (root.mcp_servers or {}).items()
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _kpis(section: KpisSection | None) -> KpiTargets:
    """Return the bounds; half of one that is given leaves the other half as it is."""
    default = KpiTargets()
    given = {
        name: replace(getattr(default, name), **_given(value)) if isinstance(value, BoundSection) else value
        for name, value in _given(section).items()
    }
    return replace(default, **given)
