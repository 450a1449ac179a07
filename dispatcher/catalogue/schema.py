"""Structure of the YAML file around the settings of `model.py` and `conversation.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field

from dispatcher.catalogue.conversation import Conversation
from dispatcher.catalogue.fields import AlgorithmName, InstanceName
from dispatcher.catalogue.kpi_targets import KpiTargets
from dispatcher.catalogue.mcp_server import McpServer
from dispatcher.catalogue.model import (
    NO_PHRASES,
    AlertRules,
    ConsoleRules,
    HealthRules,
    PhraseCache,
    Playback,
    ServiceConfig,
    TunerRules,
)
from dispatcher.catalogue.nginx_proxy import NginxProxy
from dispatcher.catalogue.overload_rules import OverloadRules
from dispatcher.catalogue.section import Section
from dispatcher.catalogue.usage_rules import UsageRules, UsageSection
from dispatcher.messages import Service

_ALL_THREE: Final = "asr_services, llm_services and tts_services: a turn needs all three"


def default_name(service: Service, position: int) -> str:
    """Return the name of an instance that was given none; `position` counts from 0."""
    return f"{service}-{position + 1}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalSettings(HealthRules):
    """What holds for all services: the default algorithm and the health rules."""

    algorithm: AlgorithmName = "weighted_round_robin"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySection(Section):
    """All three services: a turn needs each of them."""

    asr_services: Annotated[ServiceConfig, Field(description=_ALL_THREE)]
    llm_services: Annotated[ServiceConfig, Field(description=_ALL_THREE)]
    tts_services: Annotated[ServiceConfig, Field(description=_ALL_THREE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancingSection(Section):
    """The part of the file that the user's own structure names."""

    global_settings: GlobalSettings = field(default_factory=GlobalSettings)
    nginx_proxy: NginxProxy = field(default_factory=NginxProxy)
    api_gateway: Annotated[GatewaySection, Field(description="the section that names the services")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Root(Section):
    """The whole file."""

    load_balancing: Annotated[LoadBalancingSection, Field(description="the section that names the instances")]
    conversation: Conversation = field(default_factory=Conversation)
    playback: Playback = field(default_factory=Playback)
    kpis: KpiTargets = field(default_factory=KpiTargets)
    alerts: AlertRules = field(default_factory=AlertRules)
    tuner: TunerRules = field(default_factory=TunerRules)
    phrase_cache: PhraseCache = NO_PHRASES
    overload: OverloadRules = field(default_factory=OverloadRules)
    usage: UsageSection = field(default_factory=UsageRules)
    console: ConsoleRules = field(default_factory=ConsoleRules)
    mcp_servers: Mapping[InstanceName, McpServer] = field(default_factory=dict)
