"""Utterances that are sent while they are spoken: slices out and messages in at once, texts joined."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable
from typing import Any, Final, TypeVar

from dispatcher.audio.pcm import read_wav, resample
from dispatcher.catalogue.model import Instance
from dispatcher.errors import AudioError, ContentRefused, InstanceError, InstanceUnreachable
from dispatcher.messages import UPLINK_RATE_HZ, Language
from dispatcher.providers.http import as_object
from dispatcher.providers.protocols import Transcript
from dispatcher.providers.websocket import Socket, SocketProvider

Result = TypeVar("Result")

# After so long without a message behind the end of speech, another instance gets all of the utterance.
TRANSCRIPT_TIMEOUT_S: Final = 5.0
# While the user speaks an instance may be silent: for as long as anybody may speak.
_SPEECH_TIMEOUT_S: Final = 3600.0
# The reason why a socket takes no more may still be on its way.
_LAST_MESSAGE_TIMEOUT_S: Final = 0.5
_WORDS_MEET: Final = re.compile(r"[0-9A-Za-z,.!?;:'\"]\Z")
_STARTS_WORD: Final = re.compile(r"[0-9A-Za-z]")


class StreamingAsr(SocketProvider, ABC):
    """Calls ASR instances that take an utterance while it is spoken."""

    async def transcribe(self, instance: Instance, wav: bytes, language: Language) -> Transcript:
        """Return what is said in the WAV, sent as fast as it goes."""
        return await self.transcribe_stream(instance, whole_utterance(instance, wav), language)

    @abstractmethod
    async def transcribe_stream(
        self, instance: Instance, speech: AsyncIterator[bytes], language: Language
    ) -> Transcript:
        """Return what is said in speech that goes on coming, as `StreamingAsrProvider` asks."""


class UtteranceStream:
    """One utterance on one socket: it is sent while messages are received.

    Attributes:
        is_sent: all of the utterance was sent.
    """

    def __init__(self, socket: Socket) -> None:
        """Use an open socket; the caller closes it."""
        self.instance = socket.instance
        self.is_sent = False
        self._socket = socket
        self._waits: asyncio.Timeout | None = None
        self._within_s = 0.0

    async def run(self, *, send: Coroutine[Any, Any, None], receive: Coroutine[Any, Any, Result]) -> Result:
        """Send the utterance and receive meanwhile; return what the receiving came to.

        Args:
            send: ends when all was sent, with word that it is over.
            receive: ends with the transcript, or with the error that the instance sent.
        """
        sending, receiving = asyncio.ensure_future(self._to_its_end(send)), asyncio.ensure_future(receive)
        try:
            await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done() and sending.exception() is not None:
                await asyncio.wait((receiving,), timeout=_LAST_MESSAGE_TIMEOUT_S)
                if not receiving.done():
                    sending.result()
            return await receiving
        finally:
            for task in (sending, receiving):
                task.cancel()
            await asyncio.gather(sending, receiving, return_exceptions=True)

    async def receive(self, *, within_s: float = TRANSCRIPT_TIMEOUT_S) -> str | bytes | None:
        """Return the next message, or None where the instance is silent for so long after the end of speech.

        While the user speaks an instance may be silent as long as it likes.

        Raises:
            InstanceError: as in `Socket.receive`.
        """
        self._within_s = within_s
        try:
            async with asyncio.timeout(None) as self._waits:
                if self.is_sent:
                    self._bound(self._waits)
                return await self._socket.receive(within_s=_SPEECH_TIMEOUT_S)
        except TimeoutError:
            return None
        finally:
            self._waits = None

    async def receive_object(self, *, within_s: float = TRANSCRIPT_TIMEOUT_S) -> dict[str, Any] | None:
        """Return the next message as a JSON object, or None; as in `next`.

        Raises:
            InstanceFailed: it is no JSON object.
        """
        message = await self.receive(within_s=within_s)
        if message is None:
            return None
        return as_object(self.instance, message.encode() if isinstance(message, str) else message)

    def silence_error(self) -> InstanceError:
        """Return the error that an instance without a transcript is."""
        reason = f"no transcript, silent for {self._within_s:g} s after the end of speech"
        return InstanceUnreachable(self.instance.name, reason)

    async def _to_its_end(self, send: Coroutine[Any, Any, None]) -> None:
        await send
        self.is_sent = True
        if self._waits is not None:
            self._bound(self._waits)

    def _bound(self, waits: asyncio.Timeout) -> None:
        waits.reschedule(asyncio.get_running_loop().time() + self._within_s)


async def slices(speech: AsyncIterator[bytes], size_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield the speech in slices of one length as soon as each is whole; the last may be shorter."""
    rest = bytearray()
    async for piece in speech:
        rest += piece
        whole = len(rest) - len(rest) % size_bytes
        for at in range(0, whole, size_bytes):
            yield bytes(rest[at : at + size_bytes])
        del rest[:whole]
    if rest:
        yield bytes(rest)


async def whole_utterance(instance: Instance, wav: bytes) -> AsyncGenerator[bytes, None]:
    """Yield the speech of a WAV as s16le mono PCM at 16 kHz, in one piece.

    Raises:
        ContentRefused: it is no WAV that can be read; no instance could.
    """
    try:
        yield await asyncio.to_thread(_as_pcm, wav)
    except AudioError as error:
        raise ContentRefused(instance.name, f"utterance: {error}") from error


def _as_pcm(wav: bytes) -> bytes:
    pcm, rate_hz = read_wav(wav)
    return resample(pcm, rate_hz, UPLINK_RATE_HZ)


def join_texts(texts: Iterable[str]) -> str:
    """Return the texts of an utterance's parts as one: a space between words, none in Chinese."""
    joined = ""
    for text in filter(None, (each.strip() for each in texts)):
        gap = " " if _WORDS_MEET.search(joined) and _STARTS_WORD.match(text) else ""
        joined += gap + text
    return joined
