"""The YAML catalogue: which instances there are, how to choose among them, how a dialogue goes."""

from __future__ import annotations

from dispatcher.catalogue.conversation import Conversation, Endpointing, FillerRules
from dispatcher.catalogue.kpi_targets import Bound, KpiTargets
from dispatcher.catalogue.load import load_catalogue
from dispatcher.catalogue.model import (
    AlertRules,
    Catalogue,
    HealthRules,
    Instance,
    Playback,
    ServiceConfig,
    TunerRules,
)
from dispatcher.catalogue.nginx_proxy import ConnectionPool, NginxProxy, UpstreamServer
from dispatcher.catalogue.personas import DeviceRule, MemoryRules, Persona

__all__ = [
    "AlertRules",
    "Bound",
    "Catalogue",
    "ConnectionPool",
    "Conversation",
    "DeviceRule",
    "Endpointing",
    "FillerRules",
    "HealthRules",
    "Instance",
    "KpiTargets",
    "MemoryRules",
    "NginxProxy",
    "Persona",
    "Playback",
    "ServiceConfig",
    "TunerRules",
    "UpstreamServer",
    "load_catalogue",
]
