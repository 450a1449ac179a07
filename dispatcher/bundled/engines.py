"""Engine protocols: the work of one bundled instance, whatever performs it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

Service: TypeAlias = Literal["asr", "llm", "tts"]
Language: TypeAlias = Literal["auto", "en", "zh"]
SpokenLanguage: TypeAlias = Literal["en", "zh"]

# What speech is answered in, by every TTS engine: mono s16le at this rate.
SPEECH_RATE_HZ: Final = 24_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcription:
    """What was heard; `text` is empty when nobody spoke."""

    text: str
    language: SpokenLanguage
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that an LLM may call; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a tool that an LLM asks for."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a dialogue, in the words of the dialect (system, user, assistant, tool).

    Attributes:
        calls: what an assistant asked for; each of the tool messages that follow answers one, in order.
    """

    role: str
    content: str
    calls: tuple[Call, ...] = ()


class Engine(Protocol):
    """What the server needs of an engine beside its work."""

    # What /v1/models and the answers call it.
    model: str


@runtime_checkable
class ThreadedEngine(Engine, Protocol):
    """An engine that works in threads of its own."""

    def close(self) -> None:
        """Give threads and memory back; what runs in them is not waited for."""
        ...


@runtime_checkable
class RemoteEngine(Engine, Protocol):
    """An engine whose work is done elsewhere, which may be out of reach."""

    async def problem(self) -> str:
        """Return why the work cannot be done now; empty where it can."""
        ...


class AsrEngine(Engine, Protocol):
    """Hears."""

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:
        """Return what is said in a WAV file.

        Args:
            wav: the file, of any rate, mono or stereo.
            language: the language spoken, or "auto" to find out.
            prompt: words that may occur, as a hint; may be empty.

        Raises:
            AudioError: the bytes are no WAV file.
            RequestError: every slot is taken, and so is every place in the queue.
        """
        ...


class LlmEngine(Engine, Protocol):
    """Answers."""

    def respond(
        self, messages: Sequence[Message], *, language: Language, tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[str | Call, None]:
        """Yield the answer token by token; an empty token says only that more is to come.

        A call ends the answer: what was called is told in the messages of the next request.
        """
        ...


class TtsEngine(Engine, Protocol):
    """Speaks."""

    def speak(
        self, text: str, *, language: Language, speed: float, voice: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """Yield the speech as s16le mono PCM at `SPEECH_RATE_HZ`; an empty piece says that more is to come.

        Args:
            text: what to say; Markdown and emoji in it are not spoken.
            language: decides how a text without letters is read.
            speed: 1.0 is the voice's own pace, 2.0 twice as fast.
            voice: name of one; an engine that has none of that name speaks with its own.

        Raises:
            RequestError: nothing in the text can be spoken.
        """
        ...
