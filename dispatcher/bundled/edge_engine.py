"""TTS engine: Microsoft's Edge voices behind the OpenAI dialect, for the cache of nginx and any client.

The call is that of `dispatcher/providers/tts/edge_tts.py`; docs/adr/0028-models-of-the-plan.md has why.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

import structlog

from dispatcher.bundled.engines import Language
from dispatcher.bundled.request_errors import RequestError
from dispatcher.catalogue.model import Instance
from dispatcher.errors import ConfigError, InstanceBusy, InstanceError, InstanceUnreachable, StartError
from dispatcher.providers.http import new_session
from dispatcher.providers.tts.edge_tts import VOICES, EdgeTts
from dispatcher.speech_text.cjk import has_han
from dispatcher.speech_text.cleaner import clean

log = structlog.get_logger(__name__)

# Health checks come every few seconds, from several sides; the service is asked less often.
CHECK_INTERVAL_S: Final = 30.0
# Names of other services, such as alloy, are those of nobody here.
_VOICE: Final = re.compile(r"[a-z]{2,}-[A-Z]{2,}-[\w-]+Neural")
_PACKAGES: Final = ("av", "edge_tts")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOptions:
    """The voice of each language, by the service's own names."""

    zh: str = VOICES["zh"]
    en: str = VOICES["en"]

    def __post_init__(self) -> None:
        """Check the form of the names; whether there are such voices, the service says at a call.

        Raises:
            ConfigError: one is no name of a voice.
        """
        problems = [
            f"--set {language}={voice}: expected a voice of `edge-tts --list-voices`, as in {usual}"
            for language, voice, usual in (("zh", self.zh, VOICES["zh"]), ("en", self.en, VOICES["en"]))
            if not _VOICE.fullmatch(voice)
        ]
        if problems:
            raise ConfigError(problems)


def load(options: EdgeOptions) -> EdgeEngine:
    """Return the engine; the service is called when there is something to say.

    Raises:
        StartError: a package is missing.
    """
    if not all(map(find_spec, _PACKAGES)):
        raise StartError("edge: its packages are not installed; install the `edge` extra")
    return EdgeEngine(options)


class EdgeEngine:
    """Synthesis by the service, as it streams; its failures become statuses of HTTP."""

    model = "edge-tts"

    def __init__(self, options: EdgeOptions) -> None:
        """Speak with the voices of these options."""
        self._options = options
        self._problem = ""
        self._known_until_s = 0.0
        self._checking = asyncio.Lock()

    async def speak(
        self, text: str, *, language: Language, speed: float, voice: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech while the service sends it.

        Raises:
            RequestError: nothing in the text can be spoken, or the service did not speak it.
        """
        chinese = language == "zh" or has_han(text)
        said = clean(text, language="zh" if chinese else "en")
        if not any(sign.isalnum() for sign in said):
            raise RequestError.field("input", text, "words or numbers")
        by_language = self._options.zh if chinese else self._options.en
        instance = self._instance(voice if _VOICE.fullmatch(voice) else by_language)
        try:
            async with new_session() as session:
                speech = EdgeTts(session).synthesize(instance, said, "zh" if chinese else "en", speed=speed)
                async with aclosing(speech):
                    async for pcm in speech:
                        yield pcm
        except InstanceError as error:
            log.warning("Edge voice failed", reason=error.reason)
            raise _request_error(error) from error

    async def problem(self) -> str:
        """Return why the service cannot be reached; empty where it can, as of the last half minute."""
        async with self._checking:
            now_s = asyncio.get_running_loop().time()
            if now_s >= self._known_until_s:
                self._problem = await self._check()
                self._known_until_s = now_s + CHECK_INTERVAL_S
        return self._problem

    async def _check(self) -> str:
        try:
            async with new_session() as session:
                await EdgeTts(session).check(self._instance(self._options.zh))
        except InstanceError as error:
            return error.reason
        return ""

    def _instance(self, voice: str) -> Instance:
        return Instance(service="tts", name="edge", endpoint="edge", provider="edge_tts", voice=voice)


def _request_error(error: InstanceError) -> RequestError:
    """Return the answer for a failed call: 503 busy, 504 too late, 502 for all else that the service did."""
    if isinstance(error, InstanceBusy):
        return RequestError.busy(f"Microsoft's Edge voices are busy: {error.reason}")
    is_late = isinstance(error, InstanceUnreachable) and isinstance(error.__cause__, TimeoutError)
    return RequestError(
        f"Microsoft's Edge voices did not speak: {error.reason}",
        status=504 if is_late else 502,
        code="upstream",
    )
