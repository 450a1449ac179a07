"""Providers by service and name: each is imported when the first instance asks for it.

Most houses use two or three of them, and some bring NumPy along, 10 MB in every worker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final, cast

import aiohttp

from dispatcher.catalogue.dialects import DIALECTS
from dispatcher.catalogue.model import Instance
from dispatcher.errors import ConfigError
from dispatcher.messages import Service
from dispatcher.providers.http import new_session
from dispatcher.providers.negotiation import RefusedParameters
from dispatcher.providers.protocols import (
    AsrProvider,
    ClosableProvider,
    LlmProvider,
    Provider,
    StreamingAsrProvider,
    TtsProvider,
)

CLASSES: Final[Mapping[tuple[Service, str], str]] = {
    ("asr", "dashscope_asr"): "asr.dashscope_asr.DashscopeAsr",
    ("asr", "funasr"): "asr.funasr.FunAsr",
    ("asr", "openai_http"): "asr.openai_transcription.OpenAiTranscription",
    ("asr", "sherpa_onnx"): "asr.sherpa_onnx.SherpaOnnx",
    ("asr", "sherpa_onnx_offline"): "asr.sherpa_onnx_offline.SherpaOnnxOffline",
    ("llm", "ollama"): "llm.ollama.Ollama",
    ("llm", "openai_http"): "llm.openai_chat.OpenAiChat",
    ("tts", "cosyvoice"): "tts.cosyvoice.CosyVoice",
    ("tts", "edge_tts"): "tts.edge_tts.EdgeTts",
    ("tts", "openai_http"): "tts.openai_speech.OpenAiSpeech",
    ("tts", "volcano"): "tts.volcano.Volcano",
    ("tts", "xfyun"): "tts.xfyun.Xfyun",
}
# Providers that learn which optional parameters an instance refuses.
_NEGOTIATING: Final = frozenset({"ollama", "openai_http"})


class Providers:
    """The providers of one event loop; those of a service share an HTTP session, LLM and TTS the same one.

    Attributes:
        refused: the optional parameters that instances refuse.
    """

    def __init__(self, *, watched_by: Sequence[aiohttp.TraceConfig] = ()) -> None:
        """Open the session; must be called inside the loop that will use it."""
        self._session = new_session(watched_by=watched_by)
        self._upload_session = new_session(watched_by=watched_by, is_for_uploads=True)
        self._made: dict[str, Provider] = {}
        self.refused = RefusedParameters()

    def asr(self, instance: Instance) -> AsrProvider:
        """Return the provider that calls an ASR instance."""
        return cast("AsrProvider", self._of("asr", instance))

    def streaming_asr(self, instance: Instance) -> StreamingAsrProvider:
        """Return the provider that calls an ASR instance while the user speaks."""
        if not instance.is_streaming_asr:
            raise _unknown(instance, {name for name, dialect in DIALECTS.items() if dialect.is_streaming})
        return cast("StreamingAsrProvider", self._of("asr", instance))

    def llm(self, instance: Instance) -> LlmProvider:
        """Return the provider that calls an LLM instance."""
        return cast("LlmProvider", self._of("llm", instance))

    def tts(self, instance: Instance) -> TtsProvider:
        """Return the provider that calls a TTS instance."""
        return cast("TtsProvider", self._of("tts", instance))

    def of(self, instance: Instance) -> Provider:
        """Return the provider of an instance of whichever service, to check it."""
        return self._of(instance.service, instance)

    async def close(self) -> None:
        """Close every connection."""
        for provider in self._made.values():
            if isinstance(provider, ClosableProvider):
                await provider.close()
        await self._session.close()
        await self._upload_session.close()

    def _of(self, service: Service, instance: Instance) -> Provider:
        """Return the provider that the instance names.

        Raises:
            ConfigError: the instance names a dialect that nobody speaks for its service.
        """
        path = CLASSES.get((service, instance.provider))
        if path is None:
            raise _unknown(instance, {name for served, name in CLASSES if served == service})
        if path not in self._made:
            module, _, name = path.rpartition(".")
            shared = (self.refused,) if instance.provider in _NEGOTIATING else ()
            made = getattr(import_module(f"dispatcher.providers.{module}"), name)
            session = self._upload_session if service == "asr" else self._session
            self._made[path] = made(session, *shared)
        return self._made[path]


def _unknown(instance: Instance, names: set[str]) -> ConfigError:
    known = ", ".join(sorted(names))
    return ConfigError([f"{instance.name}.provider: was {instance.provider!r}; expected one of {known}"])
