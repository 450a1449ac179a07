"""Public services by their host: what stands in a line that gives no more than that.

Source: the API reference of each service. What a line says itself always wins.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from dispatcher.catalogue.dialects import DEFAULT_PROVIDER, DIALECTS, providers_of
from dispatcher.catalogue.document import KeyPath
from dispatcher.messages import SERVICES, Service

_OPENAI: Final = DEFAULT_PROVIDER
_SCHEMES: Final = frozenset({"http", "https", "ws", "wss"})
# Names that no registry gives out: those of routers, Docker and Kubernetes.
_OWN_NETWORKS: Final = frozenset(
    {
        *("local", "localhost", "localdomain", "lan", "home", "internal", "intranet", "corp", "private"),
        *("box", "svc", "docker"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownHost:
    """A public service.

    Attributes:
        variables: key of a line, and the variable that usually holds its value.
        providers: dialect of each service, where that is not the default one.
        paths: where each dialect has its calls.
        examples: values to write for keys that only the user knows.
    """

    variables: Mapping[str, str]
    providers: Mapping[Service, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=lambda: {_OPENAI: "/v1"})
    examples: Mapping[str, str] = field(default_factory=dict)


def _openai_like(variable: str, path: str = "/v1") -> KnownHost:
    return KnownHost(variables={"api_key_env": variable}, paths={_OPENAI: path})


_DASHSCOPE: Final = KnownHost(
    variables={"api_key_env": "DASHSCOPE_API_KEY"},
    providers={"asr": "dashscope_asr", "tts": "cosyvoice"},
    paths={
        _OPENAI: "/compatible-mode/v1",
        "cosyvoice": "/api-ws/v1/inference",
        "dashscope_asr": "/api-ws/v1/inference",
    },
    examples={"model": "cosyvoice-v2", "voice": "longxiaochun_v2"},
)
_ZHIPU: Final = _openai_like("ZHIPUAI_API_KEY", "/api/paas/v4")
_MOONSHOT: Final = _openai_like("MOONSHOT_API_KEY")
_SILICONFLOW: Final = _openai_like("SILICONFLOW_API_KEY")
_MINIMAX: Final = _openai_like("MINIMAX_API_KEY")

KNOWN_HOSTS: Final[Mapping[str, KnownHost]] = {
    "dashscope.aliyuncs.com": _DASHSCOPE,
    "dashscope-intl.aliyuncs.com": _DASHSCOPE,
    "dashscope-us.aliyuncs.com": _DASHSCOPE,
    "tts-api.xfyun.cn": KnownHost(
        variables={"api_key_env": "XFYUN_API_KEY", "api_secret_env": "XFYUN_API_SECRET"},
        providers={"tts": "xfyun"},
        paths={"xfyun": "/v2/tts"},
        examples={"app_id": '"5f000000"'},
    ),
    "openspeech.bytedance.com": KnownHost(
        variables={"api_key_env": "VOLCANO_ACCESS_TOKEN"},
        providers={"tts": "volcano"},
        paths={"volcano": "/api/v1/tts/ws_binary"},
        examples={"app_id": '"1234567890"', "voice": "zh_female_wanwanxiaohe_moon_bigtts"},
    ),
    "api.openai.com": _openai_like("OPENAI_API_KEY"),
    "api.deepseek.com": _openai_like("DEEPSEEK_API_KEY"),
    "open.bigmodel.cn": _ZHIPU,
    "api.z.ai": _ZHIPU,
    "generativelanguage.googleapis.com": _openai_like("GEMINI_API_KEY", "/v1beta/openai"),
    "api.moonshot.cn": _MOONSHOT,
    "api.moonshot.ai": _MOONSHOT,
    "api.siliconflow.cn": _SILICONFLOW,
    "api.siliconflow.com": _SILICONFLOW,
    "ark.cn-beijing.volces.com": _openai_like("ARK_API_KEY", "/api/v3"),
    "api.groq.com": _openai_like("GROQ_API_KEY", "/openai/v1"),
    "openrouter.ai": _openai_like("OPENROUTER_API_KEY", "/api/v1"),
    "api.mistral.ai": _openai_like("MISTRAL_API_KEY"),
    "api.anthropic.com": _openai_like("ANTHROPIC_API_KEY"),
    "api.x.ai": _openai_like("XAI_API_KEY"),
    "api.together.xyz": _openai_like("TOGETHER_API_KEY"),
    "api.fireworks.ai": _openai_like("FIREWORKS_API_KEY", "/inference/v1"),
    "api.cerebras.ai": _openai_like("CEREBRAS_API_KEY"),
    "integrate.api.nvidia.com": _openai_like("NVIDIA_API_KEY"),
    "api.minimax.chat": _MINIMAX,
    "api.minimaxi.com": _MINIMAX,
    "api.stepfun.com": _openai_like("STEPFUN_API_KEY"),
    "api.lingyiwanwu.com": _openai_like("YI_API_KEY"),
    "api.baichuan-ai.com": _openai_like("BAICHUAN_API_KEY"),
    "qianfan.baidubce.com": _openai_like("QIANFAN_API_KEY", "/v2"),
    "api.hunyuan.cloud.tencent.com": _openai_like("HUNYUAN_API_KEY"),
    "spark-api-open.xf-yun.com": _openai_like("SPARK_API_KEY"),
}


def known_host(endpoint: object) -> KnownHost | None:
    """Return the public service that an address is of, or None."""
    parts = _parts(endpoint)
    return KNOWN_HOSTS.get(parts.hostname or "") if parts else None


def completed(data: Any) -> tuple[Any, frozenset[KeyPath]]:
    """Return the file's data with what lines leave out about known hosts, and the paths of these lines."""
    gateway = _reach(data, "load_balancing", "api_gateway")
    if not isinstance(gateway, dict):
        return data, frozenset()
    services: dict[Any, Any] = {**gateway}
    paths: set[KeyPath] = set()
    for service in SERVICES:
        name = f"{service}_services"
        entries = _reach(gateway, name, "instances")
        if not isinstance(entries, list):
            continue
        made = [_completed_entry(entry, service) for entry in entries]
        changed = (position for position, entry in enumerate(entries) if made[position] is not entry)
        paths |= {("load_balancing", "api_gateway", name, "instances", position) for position in changed}
        services[name] = {**gateway[name], "instances": made}
    whole = {**data, "load_balancing": {**data["load_balancing"], "api_gateway": services}}
    return whole, frozenset(paths)


def _completed_entry(entry: Any, service: Service) -> Any:
    """Return a line with what its host is known for, or the line itself where nothing is left out."""
    endpoint = entry.get("endpoint") if isinstance(entry, dict) else None
    host, parts = known_host(endpoint), _parts(endpoint)
    if host is None or parts is None:
        return entry
    named = entry.get("provider")
    provider = named or host.providers.get(service, DEFAULT_PROVIDER)
    is_usable = isinstance(provider, str) and provider in providers_of(service)
    if not is_usable or provider not in host.paths:
        return entry
    if named not in (None, DEFAULT_PROVIDER) and parts.path.strip("/"):
        return entry
    given = {key: value for key, value in entry.items() if value is not None}
    address = _completed_endpoint(str(endpoint), parts, host.paths[provider], provider)
    return {"provider": provider, **host.variables, **given, "endpoint": address}


def _completed_endpoint(endpoint: str, parts: SplitResult, path: str, provider: str) -> str:
    """Return the address with its path; such a host is asked encrypted, over HTTP or a WebSocket."""
    is_odd = parts.username is not None or parts.query or parts.fragment
    if is_odd or parts.scheme.lower() not in _SCHEMES or parts.port not in (None, 80, 443):
        return endpoint
    scheme = "wss" if "wss" in DIALECTS[provider].schemes else "https"
    return f"{scheme}://{parts.hostname}{parts.path.rstrip('/') or path}"


def is_public(endpoint: str) -> bool:
    """Return whether an address is one of the internet, not of this machine or its network."""
    parts = _parts(endpoint)
    host = (parts.hostname or "").rstrip(".") if parts else ""
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    _, _, top = host.rpartition(".")
    return "." in host and top not in _OWN_NETWORKS and not host.endswith((".home.arpa", ".ts.net"))


def _parts(endpoint: object) -> SplitResult | None:
    if not isinstance(endpoint, str):
        return None
    try:
        parts = urlsplit(endpoint.strip())
        _ = parts.port
    except ValueError:
        return None
    return parts


def _reach(data: Any, *keys: str) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
