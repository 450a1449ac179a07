"""Wire dialects that an instance may name as its `provider`: the services, addresses and keys of each.

The client code of each is in `dispatcher.providers`, whose docstring lists the steps to add one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.messages import SERVICES, Service

DEFAULT_PROVIDER: Final = "openai_http"
_HTTP: Final = ("http", "https")
_WEBSOCKET: Final = ("ws", "wss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A wire dialect.

    Attributes:
        services: those that it can serve.
        schemes: how an endpoint may begin; empty where it does not matter.
        required_keys: what an instance must be given beside its endpoint.
        is_streaming: an ASR instance takes an utterance while it is spoken.
        takes_extra_body: requests carry the `extra_body` of a line.
        is_free: a public service that needs no key.
    """

    services: tuple[Service, ...]
    schemes: tuple[str, ...] = _WEBSOCKET
    required_keys: tuple[str, ...] = ()
    is_streaming: bool = False
    takes_extra_body: bool = False
    is_free: bool = False


DIALECTS: Final[Mapping[str, Dialect]] = {
    "openai_http": Dialect(services=SERVICES, schemes=_HTTP, takes_extra_body=True),
    "cosyvoice": Dialect(services=("tts",), required_keys=("api_key_env", "model", "voice")),
    "edge_tts": Dialect(services=("tts",), schemes=(), is_free=True),
    "ollama": Dialect(services=("llm",), schemes=_HTTP, required_keys=("model",), takes_extra_body=True),
    "volcano": Dialect(services=("tts",), required_keys=("app_id", "api_key_env", "voice")),
    "xfyun": Dialect(services=("tts",), required_keys=("app_id", "api_key_env", "api_secret_env")),
    "funasr": Dialect(services=("asr",), is_streaming=True),
    "sherpa_onnx": Dialect(services=("asr",), is_streaming=True),
    "sherpa_onnx_offline": Dialect(services=("asr",)),
    "dashscope_asr": Dialect(services=("asr",), required_keys=("api_key_env",), is_streaming=True),
}


def providers_of(service: Service) -> list[str]:
    """Return the names that an instance of a service may have as its provider."""
    return [name for name, dialect in DIALECTS.items() if service in dialect.services]
