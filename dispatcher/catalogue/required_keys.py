"""What a dialect cannot do without, so that a forgotten key is found at start and not in the first call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from dispatcher.catalogue.known_hosts import is_public, known_host
from dispatcher.catalogue.model import DEFAULT_PROVIDER, Catalogue, Instance
from dispatcher.catalogue.secrets import secret_problem
from dispatcher.messages import Service

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
_BUILT_IN_LLM_PORTS: Final = range(8200, 8300)
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


def what_is_missing(instance: Instance, environ: Mapping[str, str] | None = None) -> str:
    """Return what an instance lacks before it can be called, with what to write; nothing where it has all.

    `environ` is where its variables are looked up; this process's own when left out.
    """
    environ = os.environ if environ is None else environ
    host = known_host(instance.endpoint)
    variables = host.variables if host else {}
    needed = dict.fromkeys([*NEEDED_KEYS.get(instance.provider, ()), *variables])
    lacking = [key for key in needed if not getattr(instance, key)]
    examples = {**variables, **(host.examples if host else {})}
    words = [f"{key} is missing: write `{key}: {examples.get(key, '…')}` in its line" for key in lacking]
    for key in ("api_key_env", "api_secret_env"):
        name = getattr(instance, key)
        held = environ.get(name, "") if name else ""
        wrong = secret_problem(held) if held else "which is not set"
        if name and wrong:
            words.append(f"{key} is {name}, {wrong}: write `{name}=…` in the environment and start again")
    return "; ".join(words)


def warnings(catalogue: Catalogue, environ: Mapping[str, str]) -> Iterator[tuple[Instance, str]]:
    """Yield the instances that load and may not be what was meant, each with the reason."""
    for config in catalogue.services.values():
        for instance in config.instances:
            missing = what_is_missing(instance, environ)
            if missing:
                yield instance, f"not configured, no call goes to it: {missing}"
            elif instance.api_key_env is None and is_public(instance.endpoint) and not _is_free(instance):
                yield instance, "its address is public and its line has no api_key_env"
            if instance.service == "llm" and instance.model is None and not _is_built_in(instance):
                yield instance, "its line has no model: the server may refuse, or answer with any that it has"


def _is_free(instance: Instance) -> bool:
    return instance.provider == "edge_tts"


def _is_built_in(instance: Instance) -> bool:
    """Return whether an LLM has a port of the bundled assistants (Procfile)."""
    return urlsplit(instance.endpoint).port in _BUILT_IN_LLM_PORTS


def unmet_needs(
    entry: Mapping[str, Any], at: tuple[str | int, ...], *, may_lack_keys: bool = False
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the keys that are missing, and an endpoint of the wrong kind, each with its path.

    A line that names a known host alone `may_lack_keys`: it is then not configured, and stops nobody.
    """
    provider = entry.get("provider") or DEFAULT_PROVIDER
    if not isinstance(provider, str):
        return
    for key in () if may_lack_keys else NEEDED_KEYS.get(provider, ()):
        if entry.get(key) is None:
            yield (*at, key), f"is missing; {provider} needs {', '.join(NEEDED_KEYS[provider])}"
    endpoint = entry.get("endpoint")
    schemes = SCHEMES.get(provider)
    if isinstance(endpoint, str) and schemes and "://" in endpoint:
        scheme = endpoint.partition("://")[0].lower()
        if scheme in {"http", "https", "ws", "wss"} and scheme not in schemes:
            wanted = " or ".join(f"{each}://" for each in schemes)
            yield (*at, "endpoint"), f"was a {scheme}:// address; {provider} needs {wanted}"
