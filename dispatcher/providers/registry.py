"""Which provider speaks which dialect; a new dialect is one file, and one line here and in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import aiohttp

from dispatcher.catalogue.model import Instance
from dispatcher.errors import ConfigError
from dispatcher.providers.base import AsrProvider, LiveAsrProvider, LlmProvider, Provider, TtsProvider
from dispatcher.providers.cosyvoice import CosyVoice
from dispatcher.providers.dashscope_asr import DashscopeAsr
from dispatcher.providers.edge_tts import EdgeTts
from dispatcher.providers.funasr import FunAsr
from dispatcher.providers.http import new_session
from dispatcher.providers.ollama import Ollama
from dispatcher.providers.openai_http import OpenAiHttp
from dispatcher.providers.sherpa_onnx import SherpaOnnx
from dispatcher.providers.sherpa_onnx_offline import SherpaOnnxOffline
from dispatcher.providers.volcano import Volcano
from dispatcher.providers.xfyun import Xfyun

Kind = TypeVar("Kind", bound=Provider)


class Providers:
    """The providers of one event loop; all share one HTTP session."""

    def __init__(self, *, watched_by: Sequence[aiohttp.TraceConfig] = ()) -> None:
        """Open the session; must be called inside the loop that will use it."""
        self._session = session = new_session(watched_by=watched_by)
        openai_http = OpenAiHttp(session)
        self._ollama = Ollama(session)
        self._live_asr: dict[str, LiveAsrProvider] = {
            "dashscope_asr": DashscopeAsr(session),
            "funasr": FunAsr(session),
            "sherpa_onnx": SherpaOnnx(session),
        }
        self._asr: dict[str, AsrProvider] = {
            "openai_http": openai_http,
            "sherpa_onnx_offline": SherpaOnnxOffline(session),
            **self._live_asr,
        }
        self._llm: dict[str, LlmProvider] = {"openai_http": openai_http, "ollama": self._ollama}
        self._tts: dict[str, TtsProvider] = {
            "openai_http": openai_http,
            "cosyvoice": CosyVoice(session),
            "edge_tts": EdgeTts(session),
            "volcano": Volcano(session),
            "xfyun": Xfyun(session),
        }

    def asr(self, instance: Instance) -> AsrProvider:
        """Return the provider that calls an ASR instance."""
        return _named(instance, self._asr)

    def live_asr(self, instance: Instance) -> LiveAsrProvider:
        """Return the provider that calls an ASR instance while the user speaks."""
        return _named(instance, self._live_asr)

    def llm(self, instance: Instance) -> LlmProvider:
        """Return the provider that calls an LLM instance."""
        return _named(instance, self._llm)

    def tts(self, instance: Instance) -> TtsProvider:
        """Return the provider that calls a TTS instance."""
        return _named(instance, self._tts)

    def of(self, instance: Instance) -> Provider:
        """Return the provider of an instance of whichever service, to check it."""
        match instance.service:
            case "asr":
                return self.asr(instance)
            case "llm":
                return self.llm(instance)
            case "tts":
                return self.tts(instance)

    async def close(self) -> None:
        """Close every connection."""
        await self._ollama.close()
        await self._session.close()


def _named(instance: Instance, by_name: Mapping[str, Kind]) -> Kind:
    """Return the provider that the instance names.

    Raises:
        ConfigError: the instance names a dialect that nobody speaks for its service.
    """
    try:
        return by_name[instance.provider]
    except KeyError:
        known = ", ".join(sorted(by_name))
        raise ConfigError(
            [f"{instance.name}.provider: was {instance.provider!r}; expected one of {known}"]
        ) from None
