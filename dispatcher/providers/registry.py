"""Which provider speaks which dialect; a new dialect is one file, and one line here and in the catalogue.

Most houses use two or three of them: each is imported when the first instance asks for it, since some bring
NumPy along, 10 MB in every worker.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Final, cast

import aiohttp

from dispatcher.catalogue.model import PROVIDERS, STREAMING_ASR, Instance
from dispatcher.errors import ConfigError
from dispatcher.messages import Service
from dispatcher.providers.base import AsrProvider, LlmProvider, Provider, StreamingAsrProvider, TtsProvider
from dispatcher.providers.http import new_session
from dispatcher.providers.ollama import Ollama
from dispatcher.providers.optional_parameters import RefusedParameters

# The module beside this one has the name of the dialect.
_CLASSES: Final = {
    "cosyvoice": "CosyVoice",
    "dashscope_asr": "DashscopeAsr",
    "edge_tts": "EdgeTts",
    "funasr": "FunAsr",
    "ollama": "Ollama",
    "openai_http": "OpenAiHttp",
    "sherpa_onnx": "SherpaOnnx",
    "sherpa_onnx_offline": "SherpaOnnxOffline",
    "volcano": "Volcano",
    "xfyun": "Xfyun",
}


# Those that learn which optional parameters an instance refuses.
_LEARNING: Final = frozenset({"ollama", "openai_http"})


class Providers:
    """The providers of one event loop; all share one HTTP session.

    Attributes:
        refused: the optional parameters that instances refuse.
    """

    def __init__(self, *, watched_by: Sequence[aiohttp.TraceConfig] = ()) -> None:
        """Open the session; must be called inside the loop that will use it."""
        self._session = new_session(watched_by=watched_by)
        self._made: dict[str, Provider] = {}
        self.refused = RefusedParameters()

    def asr(self, instance: Instance) -> AsrProvider:
        """Return the provider that calls an ASR instance."""
        return cast("AsrProvider", self._speaking(instance, _spoken_by("asr")))

    def live_asr(self, instance: Instance) -> StreamingAsrProvider:
        """Return the provider that calls an ASR instance while the user speaks."""
        return cast("StreamingAsrProvider", self._speaking(instance, STREAMING_ASR))

    def llm(self, instance: Instance) -> LlmProvider:
        """Return the provider that calls an LLM instance."""
        return cast("LlmProvider", self._speaking(instance, _spoken_by("llm")))

    def tts(self, instance: Instance) -> TtsProvider:
        """Return the provider that calls a TTS instance."""
        return cast("TtsProvider", self._speaking(instance, _spoken_by("tts")))

    def of(self, instance: Instance) -> Provider:
        """Return the provider of an instance of whichever service, to check it."""
        return self._speaking(instance, _spoken_by(instance.service))

    async def close(self) -> None:
        """Close every connection."""
        for provider in self._made.values():
            if isinstance(provider, Ollama):
                await provider.close()
        await self._session.close()

    def _speaking(self, instance: Instance, dialects: Collection[str]) -> Provider:
        """Return the provider that the instance names.

        Raises:
            ConfigError: the instance names a dialect that nobody speaks for its service.
        """
        name = instance.provider
        if name not in dialects:
            known = ", ".join(sorted(dialects))
            raise ConfigError([f"{instance.name}.provider: was {name!r}; expected one of {known}"])
        if name not in self._made:
            module = import_module(f"dispatcher.providers.{name}")
            shared = (self.refused,) if name in _LEARNING else ()
            self._made[name] = getattr(module, _CLASSES[name])(self._session, *shared)
        return self._made[name]


def _spoken_by(service: Service) -> list[str]:
    return [name for name, services in PROVIDERS.items() if service in services]
