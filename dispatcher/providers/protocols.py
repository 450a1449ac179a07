"""Protocols of providers, as the stages of a turn call them whatever the dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from dispatcher.catalogue.model import Instance
from dispatcher.dialogue.history import Message
from dispatcher.messages import Language
from dispatcher.tools.model import ChatPiece, Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """Transcript of an utterance, and its language where the instance reports one.

    Attributes:
        no_speech_ratio: likelihood of silence, 0..1, where it is reported; the least of all segments.
        logprob: mean logarithm of the likelihood of its tokens, where the instance reports it.
        billed_s: seconds of speech that the instance says it is paid for; None where it does not say.
    """

    text: str
    language: Language
    no_speech_ratio: float | None = None
    logprob: float | None = None
    billed_s: float | None = None


class SpeechUsage(bytes):
    """No speech, but how many characters of text an instance says it is paid for.

    It comes among the slices of the speech, and is none.
    """

    characters: int

    def __new__(cls, characters: int) -> Self:
        """Return an empty slice with the count."""
        made = super().__new__(cls)
        made.characters = characters
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """Load that an instance reports in a health check; None is unknown, which is not 0.

    Attributes:
        cpu_ratio: share of the cores that it may use, 0..1.
        memory_ratio: share of the memory that it may use, 0..1.
    """

    cpu_ratio: float | None = None
    memory_ratio: float | None = None


class Provider(Protocol):
    """Calls one instance in its dialect.

    Every method raises an InstanceError of the class that says whose fault it was. Cancelling the
    coroutine, or closing the iterator, closes the connection to the instance.
    """

    async def check(self, instance: Instance) -> LoadReport:
        """Return what the instance reports, once it is well; the cheapest call that really reaches it."""
        ...


@runtime_checkable
class ClosableProvider(Provider, Protocol):
    """Keeps tasks or connections of its own beside the calls."""

    async def close(self) -> None:
        """End them."""
        ...


@runtime_checkable
class PageProvider(Provider, Protocol):
    """Checks instances by pages beside the calls: what such a page refuses, calls may well do."""

    async def models(self, instance: Instance) -> Sequence[str] | None:
        """Return the names of the models that the server lists; None where it lists none, or takes any."""
        ...


class AsrProvider(Provider, Protocol):
    """Calls instances that recognise speech."""

    async def transcribe(self, instance: Instance, wav: bytes, language: Language) -> Transcript:
        """Return what is said in a mono 16-bit WAV."""
        ...


class StreamingAsrProvider(AsrProvider, Protocol):
    """Calls instances that take an utterance while it is spoken."""

    async def transcribe_stream(
        self, instance: Instance, speech: AsyncIterator[bytes], language: Language
    ) -> Transcript:
        """Return what is said in speech that goes on coming; the transcript follows its end.

        An instance that fails while the user speaks raises at once, not at the end.

        Args:
            instance: takes the call.
            speech: s16le mono PCM at 16 kHz, in slices of any size; its own errors pass through.
            language: of the device, or "auto".
        """
        ...


class LlmProvider(Provider, Protocol):
    """Calls instances that reply to a dialogue."""

    def chat(
        self, instance: Instance, messages: Sequence[Message], tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[ChatPiece, None]:
        """Yield the reply's text as it comes, in pieces of any size, and the calls of tools that it asks for.

        A call comes once it is whole; its arguments are a JSON object, else the instance has failed.
        Progress stands for what the stream sends without text: the deadlines of its reader start anew.
        """
        ...


class TtsProvider(Provider, Protocol):
    """Calls instances that make speech."""

    def synthesize(self, instance: Instance, text: str, language: Language) -> AsyncGenerator[bytes, None]:
        """Yield speech as s16le mono PCM at 24 kHz, in slices of any size."""
        ...


@runtime_checkable
class PacketTtsProvider(TtsProvider, Protocol):
    """Calls instances that may send the very packets that a device plays."""

    def synthesize_packets(
        self, instance: Instance, text: str, language: Language
    ) -> AsyncGenerator[bytes, None]:
        """Yield speech as `synthesize` does, or as OpusPackets."""
        ...
