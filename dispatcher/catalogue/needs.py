"""What a dialect cannot do without, so that a forgotten key is found at start and not in the first call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from dispatcher.catalogue.model import DEFAULT_PROVIDER
from dispatcher.contracts import Service

# The keys of an instance that a provider must be given, beside its endpoint.
NEEDED_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "cosyvoice": ("api_key_env", "model", "voice"),
    "dashscope_asr": ("api_key_env",),
    "ollama": ("model",),
    "volcano": ("app_id", "api_key_env", "voice"),
    "xfyun": ("app_id", "api_key_env", "api_secret_env"),
}
_WEBSOCKET: Final = ("ws", "wss")
# How the endpoint of a provider may begin.
SCHEMES: Final[Mapping[str, tuple[str, ...]]] = {
    "cosyvoice": _WEBSOCKET,
    "dashscope_asr": _WEBSOCKET,
    "funasr": _WEBSOCKET,
    "ollama": ("http", "https"),
    "openai_http": ("http", "https"),
    "sherpa_onnx": _WEBSOCKET,
    "sherpa_onnx_offline": _WEBSOCKET,
    "volcano": _WEBSOCKET,
    "xfyun": _WEBSOCKET,
}

# Keys that only some services, by some dialects, have a use for; elsewhere they would be silently ignored.
_LLM_KEYS: Final = ("thinking", "temperature", "max_tokens")
_BODY_PROVIDERS: Final = ("openai_http", "ollama")


def misplaced_keys(
    entry: Mapping[str, Any], at: tuple[str | int, ...], *, service: Service
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the keys that this service or dialect has no use for, each with its path."""
    provider = entry.get("provider") or DEFAULT_PROVIDER
    for key in _LLM_KEYS:
        if entry.get(key) is not None and service != "llm":
            yield (*at, key), "is for instances of llm_services only"
    if entry.get("normalize_text") is not None and service != "tts":
        yield (*at, "normalize_text"), "is for instances of tts_services only"
    if entry.get("num_ctx") is not None and provider != "ollama":
        yield (*at, "num_ctx"), "is for provider: ollama only"
    if entry.get("extra_body") is not None and provider not in _BODY_PROVIDERS:
        yield (*at, "extra_body"), f"is for provider: {' or '.join(_BODY_PROVIDERS)} only"


def unmet_needs(
    entry: Mapping[str, Any], at: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the keys that are missing, and an endpoint of the wrong kind, each with its path."""
    provider = entry.get("provider") or DEFAULT_PROVIDER
    if not isinstance(provider, str):
        return
    for key in NEEDED_KEYS.get(provider, ()):
        if entry.get(key) is None:
            yield (*at, key), f"is missing; {provider} needs {', '.join(NEEDED_KEYS[provider])}"
    endpoint = entry.get("endpoint")
    schemes = SCHEMES.get(provider)
    if isinstance(endpoint, str) and schemes and "://" in endpoint:
        scheme = endpoint.partition("://")[0].lower()
        if scheme in {"http", "https", "ws", "wss"} and scheme not in schemes:
            wanted = " or ".join(f"{each}://" for each in schemes)
            yield (*at, "endpoint"), f"was a {scheme}:// address; {provider} needs {wanted}"
