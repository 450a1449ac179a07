"""What becomes of each module of the other server: an instance of ours, or a reason why none."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from dispatcher.catalogue.dialects import providers_of
from dispatcher.messages import Service
from dispatcher.ops.xiaozhi_import.legacy import key_of, text_of, word_of
from dispatcher.ops.xiaozhi_import.options import (
    Module,
    llm_options,
    number_of,
    sampling_options,
    speech_format,
    speed_option,
)

DASHSCOPE_SOCKET: Final = "wss://dashscope.aliyuncs.com/api-ws/v1/inference"
GEMINI: Final = "https://generativelanguage.googleapis.com/v1beta/openai"
SILICONFLOW: Final = "https://api.siliconflow.cn/v1"
# Options of Ollama, which stand in a place of their own in its requests.
_OLLAMA_OPTIONS: Final = frozenset(
    {"top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "num_ctx"}
)
# Of a request for speech in the OpenAI dialect: what an instance has keys for, or the dialect sends itself.
_SPEECH_KEYS: Final = (
    "input",
    "text",
    "model",
    "model_name",
    "voice",
    "api_key",
    "stream",
    "url",
    "base_url",
)
_SPEECH_SHAPE: Final = ("response_format",)
_USUAL_HEADERS: Final = frozenset({"content-type", "accept", "user-agent"})
VOLCANO_HOST: Final = "openspeech.bytedance.com"
VOLCANO_LARGE_MODEL: Final = "volc.service_type.10029"
VOLCANO_SOCKET: Final = f"wss://{VOLCANO_HOST}/api/v1/tts/ws_binary"
XFYUN_SOCKET: Final = "wss://tts-api.xfyun.cn/v2/tts"


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


def move(service: Service, options: Mapping[str, Any]) -> Outcome:
    """Return what becomes of a module of a service."""
    module = Module(options)
    kind = text_of(module.get("type"))
    rule = _RULES[service].get(kind)
    if rule is None:
        return NotMoved(reason=f"nothing here speaks to type {word_of(kind) or '(none)'}")
    outcome = rule(module)
    provider = outcome.keys.get("provider", "openai_http") if isinstance(outcome, Moved) else "openai_http"
    if provider not in providers_of(service):
        return NotMoved(reason=f"this version has no provider {provider}")
    if isinstance(outcome, Moved) and not outcome.keys.get("endpoint"):
        return NotMoved(reason="it names no address")
    if isinstance(outcome, Moved) and service == "llm":
        outcome = _with_llm_options(outcome, module)
    return replace(outcome, lost=outcome.lost + module.lost()) if isinstance(outcome, Moved) else outcome


def _with_llm_options(moved: Moved, module: Module) -> Moved:
    """Return an LLM instance with what its module says of sampling and thinking."""
    sampling = sampling_options(module)
    if moved.keys.get("provider") == "ollama":
        named = {"temperature", "num_ctx", "options"}
        inside = {
            name: value for name, value in sampling.items() if name in _OLLAMA_OPTIONS and name not in named
        }
        sampling = {name: value for name, value in sampling.items() if name not in _OLLAMA_OPTIONS}
        sampling |= {"options": {**inside, **sampling.get("options", {})}} if inside else {}
    extra = {"extra_body": sampling} if sampling else {}
    return replace(moved, keys={**moved.keys, **llm_options(module), **extra})


def _openai(module: Module) -> Moved:
    """Return an instance of the OpenAI dialect; its address ends before the path of a call."""
    address = text_of(module.get("base_url") or module.get("url") or module.get("api_url"))
    address = re.sub(r"/(?:chat/completions|audio/(?:speech|transcriptions))/?$", "", address)
    model = text_of(module.get("model_name") or module.get("model"))
    key = key_of(module.get("api_key"))
    return _moved("openai_http", address, model=model, voice=text_of(module.get("voice")), api_key_env=key)


def _openai_voice(module: Module) -> Moved:
    """Return a voice of the OpenAI dialect with its format and speed."""
    return _with_speech_options(_openai(module), module)


def _with_speech_options(moved: Moved, module: Module) -> Moved:
    speed = speed_option(module)
    return replace(
        moved, keys={**moved.keys, **speech_format(module), **({"extra_body": speed} if speed else {})}
    )


def _ollama(module: Module) -> Outcome:
    address = text_of(module.get("base_url") or module.get("url")) or "http://localhost:11434"
    return _moved("ollama", address.removesuffix("/v1"), model=text_of(module.get("model_name")))


def _gemini(module: Module) -> Outcome:
    keys = {"model": text_of(module.get("model_name")), "api_key_env": key_of(module.get("api_key"))}
    return _moved("openai_http", GEMINI, note="by Google's OpenAI-compatible address; no proxy", **keys)


def _funasr(module: Module) -> Outcome:
    host, port = text_of(module.get("host")), text_of(module.get("port")) or "10095"
    secure = bool(module.get("is_ssl"))
    # The other server checks no certificate, and FunASR's own container makes one that nobody has signed.
    note = (
        "its certificate has to be one that this host trusts, else docs/providers/funasr.md" if secure else ""
    )
    return _moved("funasr", f"{'wss' if secure else 'ws'}://{host}:{port}" if host else "", note=note)


def _dashscope_asr(module: Module) -> Outcome:
    keys = {"model": text_of(module.get("model")), "api_key_env": key_of(module.get("api_key"))}
    return _moved("dashscope_asr", DASHSCOPE_SOCKET, **keys)


def _inside(what: str) -> _Rule:
    reason = f"{what} ran inside the other server; for the same models run a server of it"
    return lambda _: NotMoved(reason=reason)


def _edge(module: Module) -> Outcome:
    return _moved("edge_tts", "wss://speech.platform.bing.com", voice=_voice(module))


def _xfyun(module: Module) -> Outcome:
    app_id = text_of(module.get("app_id") or module.get("appid"))
    secrets = {
        "api_key_env": key_of(module.get("api_key")),
        "api_secret_env": key_of(module.get("api_secret")),
    }
    return _moved("xfyun", XFYUN_SOCKET, app_id=app_id, voice=_voice(module), **secrets)


def _cosyvoice(module: Module) -> Outcome:
    model = text_of(module.get("model"))
    key = key_of(module.get("api_key"))
    return _moved("cosyvoice", DASHSCOPE_SOCKET, model=model, voice=_voice(module), api_key_env=key)


def _volcano(module: Module) -> Outcome:
    if urlsplit(text_of(module.get("api_url"))).hostname != VOLCANO_HOST:
        return NotMoved(reason="it calls a reseller of Volcano, not Volcano's own address")
    keys = {"app_id": text_of(module.get("appid")), "model": text_of(module.get("cluster"))}
    key = key_of(module.get("access_token"))
    note = "by Volcano's WebSocket instead of its HTTP call"
    return _moved("volcano", VOLCANO_SOCKET, note=note, voice=_voice(module), api_key_env=key, **keys)


def _volcano_both_ways(module: Module) -> Outcome:
    """Return Volcano by version 1 of its WebSocket, which sells the same voices of large models."""
    if urlsplit(text_of(module.get("ws_url"))).hostname != VOLCANO_HOST:
        return NotMoved(reason="it calls a reseller of Volcano, not Volcano's own address")
    resource = text_of(module.get("resource_id"))
    if resource not in {"", VOLCANO_LARGE_MODEL}:
        return NotMoved(reason=f"only version 3 of Volcano's WebSocket has {word_of(resource)}")
    note = "by version 1 of Volcano's WebSocket; try its key: dispatcher try tts"
    keys = {"app_id": text_of(module.get("appid")), "api_key_env": key_of(module.get("access_token"))}
    return _moved("volcano", VOLCANO_SOCKET, note=note, voice=_voice(module), **keys)


def _siliconflow(module: Module) -> Outcome:
    keys = {"model": text_of(module.get("model")), "api_key_env": key_of(module.get("access_token"))}
    return _with_speech_options(_moved("openai_http", SILICONFLOW, voice=_voice(module), **keys), module)


def _custom(module: Module) -> Outcome:
    """Return a request of the user's own making, where it is one of the OpenAI dialect."""
    address = text_of(module.get("url")).rstrip("/")
    parameters = _mapping(module.get("params"))
    method = text_of(module.get("method")) or "POST"
    if not address.endswith("/audio/speech") or not parameters or method.upper() != "POST":
        return NotMoved(reason="a request of one's own making; only the OpenAI dialect can be taken over")
    headers = {str(name).lower(): text_of(value) for name, value in _mapping(module.get("headers")).items()}
    token = re.sub(r"^bearer\s+", "", headers.pop("authorization", ""), flags=re.IGNORECASE)
    request = Module({"api_key": token, **parameters, "url": address})
    moved = _openai(request)
    shape = {"format": module.get("format"), **{name: request.get(name) for name in _SPEECH_SHAPE}}
    body = {str(name): parameters[name] for name in parameters if name not in (*_SPEECH_KEYS, *_SPEECH_SHAPE)}
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


def _voice(module: Module) -> str:
    """Return the voice; a private one wins there."""
    names = ("private_voice", "voice", "speaker", "voice_id", "vcn")
    return next((text for name in names if (text := text_of(module.get(name)))), "")


def _moved(provider: str, endpoint: str, *, note: str = "", **given: str) -> Moved:
    """Return an instance without the keys that are empty; those that end in _env are secrets."""
    keys = {"provider": provider} if provider != "openai_http" else {}
    keys |= {"endpoint": endpoint}
    keys |= {name: text for name, text in given.items() if text and not name.endswith("_env")}
    secrets = {name: text for name, text in given.items() if text and name.endswith("_env")}
    return Moved(keys=keys, secrets=secrets, note=note)


_RULES: Final[Mapping[Service, Mapping[str, _Rule]]] = {
    "asr": {
        "fun_local": _inside("FunASR"),
        "sherpa_onnx_local": _inside("sherpa-onnx"),
        "vosk": _inside("Vosk"),
        "fun_server": _funasr,
        "openai": _openai,
        "aliyunbl_stream": _dashscope_asr,
    },
    "llm": {"openai": _openai, "xinference": _openai, "ollama": _ollama, "gemini": _gemini},
    "tts": {
        "edge": _edge,
        "openai": _openai_voice,
        "xunfei_stream": _xfyun,
        "alibl_stream": _cosyvoice,
        "doubao": _volcano,
        "huoshan_double_stream": _volcano_both_ways,
        "siliconflow": _siliconflow,
        "custom": _custom,
    },
}
