"""The YAML catalogue: which instances there are, how to choose among them, how a dialogue goes."""

from __future__ import annotations

from dispatcher.catalogue.load import load_catalogue
from dispatcher.catalogue.model import (
    PROVIDERS,
    Catalogue,
    ConnectionPool,
    Conversation,
    DeviceRule,
    HealthRules,
    Instance,
    NginxProxy,
    Playback,
    ServiceConfig,
    UpstreamServer,
)

__all__ = [
    "PROVIDERS",
    "Catalogue",
    "ConnectionPool",
    "Conversation",
    "DeviceRule",
    "HealthRules",
    "Instance",
    "NginxProxy",
    "Playback",
    "ServiceConfig",
    "UpstreamServer",
    "load_catalogue",
]
