"""Table of the modules of the other server: each type as an instance of ours, or the reason why none.

A row names the provider and the address, and for each key of ours the options of the module that fill it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from dispatcher.catalogue.dialects import DEFAULT_PROVIDER, providers_of
from dispatcher.messages import Service
from dispatcher.ops.xiaozhi_import.legacy_config import key_of, text_of, word_of
from dispatcher.ops.xiaozhi_import.module_options import (
    Module,
    first_text,
    llm_options,
    number_of,
    ollama_options,
    speech_format,
    speech_options,
)

DASHSCOPE_SOCKET: Final = "wss://dashscope.aliyuncs.com/api-ws/v1/inference"
EDGE_SOCKET: Final = "wss://speech.platform.bing.com"
GEMINI: Final = "https://generativelanguage.googleapis.com/v1beta/openai"
SILICONFLOW: Final = "https://api.siliconflow.cn/v1"
VOLCANO_HOST: Final = "openspeech.bytedance.com"
VOLCANO_LARGE_MODEL: Final = "volc.service_type.10029"
VOLCANO_SOCKET: Final = f"wss://{VOLCANO_HOST}/api/v1/tts/ws_binary"
XFYUN_SOCKET: Final = "wss://tts-api.xfyun.cn/v2/tts"
_RESELLER: Final = "it calls a reseller of Volcano, not Volcano's own address"
# Of a request for speech in the OpenAI dialect: what an instance has keys for, or the dialect sends itself.
_SPEECH_KEYS: Final = frozenset(
    {
        "input",
        "text",
        "model",
        "model_name",
        "voice",
        "api_key",
        "stream",
        "url",
        "base_url",
        "response_format",
    }
)
_USUAL_HEADERS: Final = frozenset({"content-type", "accept", "user-agent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A module as an instance of ours.

    Attributes:
        keys: of the instance in the YAML.
        secrets: its key and secret, by the instance's key that names their variable.
        note: what differs from before.
        lost: names of its options that have no place here.
    """

    keys: Mapping[str, Any]
    secrets: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMoved:
    """A module that has no place here, and why."""

    reason: str


Outcome: TypeAlias = Moved | NotMoved
_Rule: TypeAlias = Callable[[Module], Outcome]
_Options: TypeAlias = Callable[[Module], Mapping[str, Any]]


def move(service: Service, options: Mapping[str, Any]) -> Outcome:
    """Return the instance of a module of a service, or why there is none."""
    module = Module(options)
    kind = text_of(module.get("type"))
    rule = MODULES[service].get(kind)
    if rule is None:
        return NotMoved(reason=f"nothing here speaks to type {word_of(kind) or '(none)'}")
    outcome = rule(module)
    if isinstance(outcome, NotMoved):
        return outcome
    provider = outcome.keys.get("provider", DEFAULT_PROVIDER)
    if provider not in providers_of(service):
        return NotMoved(reason=f"this version has no provider {provider}")
    if not outcome.keys.get("endpoint"):
        return NotMoved(reason="it names no address")
    return replace(outcome, lost=outcome.lost + module.lost())


def row(
    provider: str,
    endpoint: str | Callable[[Module], str],
    *,
    note: str | Callable[[Module], str] = "",
    refused: Callable[[Module], str] = lambda _: "",
    further: _Options = lambda _: {},
    **options: tuple[str, ...],
) -> _Rule:
    """Return the rule of a type of module.

    Args:
        provider: of the instance.
        endpoint: its address, or how it is read.
        note: what differs from before.
        refused: returns why a module has no place here; empty where it has one.
        further: returns keys of the instance that are made of several options.
        **options: by our key the options of the module, of which the first that is filled in counts; keys
            that end in _env are secrets.
    """

    def rule(module: Module) -> Outcome:
        if reason := refused(module):
            return NotMoved(reason=reason)
        own = {} if provider == DEFAULT_PROVIDER else {"provider": provider}
        filled, secrets = _filled(module, options)
        keys = {**own, "endpoint": _text(endpoint, module), **filled, **further(module)}
        return Moved(keys=keys, secrets=secrets, note=_text(note, module))

    return rule


def _text(fixed_or_read: str | Callable[[Module], str], module: Module) -> str:
    return fixed_or_read if isinstance(fixed_or_read, str) else fixed_or_read(module)


def _filled(
    module: Module, options: Mapping[str, tuple[str, ...]]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the keys of an instance that options fill in, and its secrets."""
    texts = {key: first_text(module, names) for key, names in options.items()}
    secrets = {key: key_of(text) for key, text in texts.items() if key.endswith("_env")}
    keys = {key: text for key, text in texts.items() if text and key not in secrets}
    return keys, {key: secret for key, secret in secrets.items() if secret}


def _inside(what: str) -> _Rule:
    reason = f"{what} ran inside the other server; for the same models run a server of it"
    return lambda _: NotMoved(reason=reason)


def _openai_address(module: Module) -> str:
    """Return the address of an instance of the OpenAI dialect, which ends before the path of a call."""
    address = first_text(module, ("base_url", "url", "api_url"))
    return re.sub(r"/(?:chat/completions|audio/(?:speech|transcriptions))/?$", "", address)


def _openai(further: _Options = lambda _: {}) -> _Rule:
    return row(
        *("openai_http", _openai_address),
        further=further,
        model=("model_name", "model"),
        voice=("voice",),
        api_key_env=("api_key",),
    )


def _ollama_address(module: Module) -> str:
    address = first_text(module, ("base_url", "url")) or "http://localhost:11434"
    return address.removesuffix("/v1")


def _funasr_address(module: Module) -> str:
    host, port = text_of(module.get("host")), text_of(module.get("port")) or "10095"
    return f"{'wss' if module.get('is_ssl') else 'ws'}://{host}:{port}" if host else ""


def _funasr_note(module: Module) -> str:
    # The other server checks no certificate, and FunASR's own container makes one that nobody has signed.
    trusted = "its certificate has to be one that this host trusts, else docs/providers/funasr.md"
    return trusted if module.get("is_ssl") else ""


def _is_reseller(module: Module, option: str) -> bool:
    return urlsplit(text_of(module.get(option))).hostname != VOLCANO_HOST


def _why_not_version_1(module: Module) -> str:
    """Return why a module is none for version 1 of Volcano's WebSocket, which sells the same voices."""
    if _is_reseller(module, "ws_url"):
        return _RESELLER
    resource = text_of(module.get("resource_id"))
    is_known = resource in {"", VOLCANO_LARGE_MODEL}
    return "" if is_known else f"only version 3 of Volcano's WebSocket has {word_of(resource)}"


def _custom(module: Module) -> Outcome:
    """Return a request of the user's own making, where it is one of the OpenAI dialect."""
    address = text_of(module.get("url")).rstrip("/")
    parameters = _mapping(module.get("params"))
    method = text_of(module.get("method")) or "POST"
    if not address.endswith("/audio/speech") or not parameters or method.upper() != "POST":
        return NotMoved(reason="a request of one's own making; only the OpenAI dialect can be taken over")
    headers = {str(name).lower(): text_of(value) for name, value in _mapping(module.get("headers")).items()}
    token = re.sub(r"^bearer\s+", "", headers.pop("authorization", ""), flags=re.IGNORECASE)
    moved = _openai()(Module({"api_key": token, **parameters, "url": address}))
    if isinstance(moved, NotMoved):
        return moved
    shape = {"format": module.get("format"), "response_format": parameters.get("response_format")}
    body = {str(name): parameters[name] for name in parameters if name not in _SPEECH_KEYS}
    if number_of(body.get("speed")) == 1:
        del body["speed"]
    keys = {**moved.keys, **speech_format(Module(shape)), **({"extra_body": body} if body else {})}
    lost = [f"headers.{name}" for name, text in headers.items() if text and name not in _USUAL_HEADERS]
    lost += [] if "format" in keys or not any(shape.values()) else ["format"]
    return replace(moved, keys=keys, lost=tuple(lost))


def _mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, also one that was written as JSON; an empty one for what is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


_MODEL: Final = ("model",)
_KEY: Final = ("api_key",)
_TOKEN: Final = ("access_token",)
# A private voice wins there.
_VOICE: Final = ("private_voice", "voice", "speaker", "voice_id", "vcn")

MODULES: Final[Mapping[Service, Mapping[str, _Rule]]] = {
    "asr": {
        "fun_local": _inside("FunASR"),
        "sherpa_onnx_local": _inside("sherpa-onnx"),
        "vosk": _inside("Vosk"),
        "fun_server": row("funasr", _funasr_address, note=_funasr_note),
        "openai": _openai(),
        "aliyunbl_stream": row("dashscope_asr", DASHSCOPE_SOCKET, model=_MODEL, api_key_env=_KEY),
    },
    "llm": {
        "openai": _openai(llm_options),
        "xinference": _openai(llm_options),
        "ollama": row("ollama", _ollama_address, further=ollama_options, model=("model_name",)),
        "gemini": row(
            *("openai_http", GEMINI),
            note="by Google's OpenAI-compatible address; no proxy",
            further=llm_options,
            model=("model_name",),
            api_key_env=_KEY,
        ),
    },
    "tts": {
        "edge": row("edge_tts", EDGE_SOCKET, voice=_VOICE),
        "openai": _openai(speech_options),
        "xunfei_stream": row(
            *("xfyun", XFYUN_SOCKET),
            app_id=("app_id", "appid"),
            voice=_VOICE,
            api_key_env=_KEY,
            api_secret_env=("api_secret",),
        ),
        "alibl_stream": row("cosyvoice", DASHSCOPE_SOCKET, model=_MODEL, voice=_VOICE, api_key_env=_KEY),
        "doubao": row(
            *("volcano", VOLCANO_SOCKET),
            note="by Volcano's WebSocket instead of its HTTP call",
            refused=lambda module: _RESELLER if _is_reseller(module, "api_url") else "",
            voice=_VOICE,
            app_id=("appid",),
            model=("cluster",),
            api_key_env=_TOKEN,
        ),
        "huoshan_double_stream": row(
            *("volcano", VOLCANO_SOCKET),
            note="by version 1 of Volcano's WebSocket; try its key: dispatcher try tts",
            refused=_why_not_version_1,
            voice=_VOICE,
            app_id=("appid",),
            api_key_env=_TOKEN,
        ),
        "siliconflow": row(
            *("openai_http", SILICONFLOW),
            further=speech_options,
            voice=_VOICE,
            model=_MODEL,
            api_key_env=_TOKEN,
        ),
        "custom": _custom,
    },
}
