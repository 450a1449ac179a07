"""The files of an nginx configuration, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from importlib import resources
from typing import Final
from urllib.parse import urlsplit

from dispatcher.catalogue.model import Catalogue
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.nginx.layout import NginxLayout
from dispatcher.ops.nginx.upstreams import (
    SHARED_DIALECT,
    UpstreamMember,
    dialogue_upstreams,
    front_upstreams,
    members_of,
    service_upstream,
    split_backups,
)

UPSTREAMS: Final = "upstreams.conf"
FRONTS_FOLDER: Final = "fronts"
SERVICES_FILE: Final = "services.conf"
HTTPS_TEMPLATE: Final = "tls/https.conf.template"
ENTRY_FILES: Final = ("nginx.conf", "entry.conf", "console.conf", HTTPS_TEMPLATE)
_MARK: Final = re.compile(r"@(\w+)@")
_TO_BACKUP: Final = """
        proxy_intercept_errors on;
        error_page 502 503 504 = @llm_backup;"""
_BACKUP: Final = """
    location @llm_backup {
        proxy_buffering off;
        proxy_read_timeout 2m;
        proxy_pass http://llm_backup;
    }
"""


def render(catalogue: Catalogue, layout: NginxLayout) -> Mapping[str, str]:
    """Return the text of each file, by its path below the folder of nginx.conf."""
    services = {
        service: members_of(catalogue.services[service].instances, layout.run_dir) for service in SERVICES
    }
    served = all(services.values())
    values = {name: str(value) for name, value in asdict(layout).items()}
    values["user"] = f"user {layout.user};" if layout.user else ""
    files = {name: _fill(name, values) for name in ENTRY_FILES}
    parts = [front_upstreams(catalogue.nginx), *(_upstreams(catalogue, services) if served else [])]
    files |= _front_environments(catalogue)
    files[UPSTREAMS] = "\n".join([*parts, *_left_out(catalogue)])
    files[SERVICES_FILE] = _services(services, values) if served else _unserved(services)
    return files


def _front_environments(catalogue: Catalogue) -> dict[str, str]:
    """Return the variables of each named front: its weight, which `/healthz` and `check` show."""
    servers = [server for server in catalogue.nginx.upstream_servers if server.server[0].isalpha()]
    return {
        f"{FRONTS_FOLDER}/{server.server.partition(':')[0]}.env": f"INSTANCE_WEIGHT={server.weight}\n"
        for server in servers
    }


def _upstreams(catalogue: Catalogue, services: Mapping[Service, list[UpstreamMember]]) -> list[str]:
    return [
        service_upstream(catalogue.services["asr"], services["asr"]),
        "# A dialogue stays with its instance, which has it in memory; without a name, with its address.",
        dialogue_upstreams(catalogue.services["llm"], services["llm"]),
        service_upstream(catalogue.services["tts"], services["tts"]),
    ]


def _left_out(catalogue: Catalogue) -> list[str]:
    """Say which instances only the dispatcher can call, so that nobody looks for them here."""
    instances = (each for service in SERVICES for each in catalogue.services[service].instances)
    return [
        f"# Left out: {each.name} speaks {each.provider}, which an nginx cannot translate.\n"
        for each in instances
        if each.provider != SHARED_DIALECT
    ]


def _services(services: Mapping[Service, list[UpstreamMember]], values: Mapping[str, str]) -> str:
    backups = split_backups(services["llm"])[1]
    to_backup = {"llm_to_backup": _TO_BACKUP, "llm_backup": _BACKUP} if backups else {}
    filled = _fill(SERVICES_FILE, {"llm_to_backup": "", "llm_backup": "", **values, **to_backup})
    relayed = [member for several in services.values() for member in several if member.relayed]
    return filled + "".join(_relay(member, values) for member in relayed)


def _unserved(services: Mapping[Service, list[UpstreamMember]]) -> str:
    missing = ", ".join(service for service, several in services.items() if not several)
    return f"# Not rendered: no instance of {missing} speaks the OpenAI dialect over HTTP.\n"


def _relay(member: UpstreamMember, values: Mapping[str, str]) -> str:
    url = urlsplit(member.instance.endpoint)
    rewrite = "" if url.path == "/v1" else f"        rewrite ^/v1(/.*)$ {url.path}$1 break;\n"
    own = {"name": member.instance.name, "scheme": url.scheme, "authority": url.netloc, "rewrite": rewrite}
    return _fill("relay.conf", {**values, **own})


def _fill(name: str, values: Mapping[str, str]) -> str:
    """Return a template with its marks replaced; a named location of nginx looks like half a mark."""
    template = resources.files("dispatcher.ops.nginx").joinpath("templates", name).read_text("utf-8")
    text = _MARK.sub(lambda mark: values[mark[1]], template)
    return re.sub(r"\n\n\n+", "\n\n", text)
