"""Speech in the forms that services send, decoded as it streams to what devices play: 24 kHz mono s16le.

WAV and PCM are read here; MP3 and Opus need the extra `formats`, which a worker loads when the first such
speech comes, and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Protocol

from dispatcher.catalogue.model import Instance
from dispatcher.errors import AudioError, InstanceFailed, InstanceForbidden
from dispatcher.messages import REPLY_RATE_HZ, SpeechFormat
from dispatcher.providers.http import READ_BYTES, SHOWN_BYTES
from dispatcher.providers.refusals import in_plain_words
from dispatcher.providers.tts import speech_format
from dispatcher.providers.tts.opus_passing import OpusPassing
from dispatcher.providers.tts.wav_stream import WavStream

# What is decoded, and encoded for the device, before the loop's other calls go on: of MP3 half a second of
# speech, of PCM two thirds, which take 1 to 2 ms.
_PART_BYTES: Final[dict[SpeechFormat, int]] = {"mp3": 4_096, "opus": 4_096, "wav": 32_768, "pcm": 32_768}
_RATES_HZ: Final = range(8_000, 192_001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How speech is sent.

    Attributes:
        kind: what it is said to be.
        sample_rate_hz: of PCM, which has no header.
        channels: of PCM.
        certain: it is that even where it begins like another kind, as PCM may.
        may_pass: Opus that a device can play is not decoded.
    """

    kind: SpeechFormat
    sample_rate_hz: int = REPLY_RATE_HZ
    channels: int = 1
    certain: bool = False
    may_pass: bool = False


class Decoder(Protocol):
    """Takes bytes of any size, and gives s16le mono PCM at 24 kHz. Raises AudioError."""

    def feed(self, data: bytes) -> bytes:
        """Return the speech that these bytes complete."""
        ...

    def finish(self) -> bytes:
        """Return the rest, when all bytes came."""
        ...


class PcmDecoder:
    """s16le PCM at any rate, mono or stereo."""

    def __init__(self, sample_rate_hz: int, *, channels: int = 1) -> None:
        """Prepare a resampler, where one is needed.

        Raises:
            AudioError: no rate or number of channels that speech has.
        """
        if sample_rate_hz not in _RATES_HZ or channels not in {1, 2}:
            raise AudioError(f"speech of {channels} channels at {sample_rate_hz} Hz")
        self._channels = channels
        self._rest = b""
        self._resampler = None if sample_rate_hz == REPLY_RATE_HZ else _resampler(sample_rate_hz)

    def feed(self, data: bytes) -> bytes:
        """Return these samples; what is left of one waits for its other bytes."""
        data = self._rest + data
        whole = len(data) - len(data) % (2 * self._channels)
        self._rest = data[whole:]
        return self._convert(data[:whole], last=False)

    def finish(self) -> bytes:
        """Return what the resampler still holds; half a sample is left out."""
        return self._convert(b"", last=True)

    def _convert(self, pcm: bytes, *, last: bool) -> bytes:
        if self._channels == 1 and self._resampler is None:
            return pcm
        import numpy as np  # noqa: PLC0415  a worker that never converts stays 11 MB smaller

        samples = np.frombuffer(pcm, dtype="<i2")
        if self._channels == 2:
            samples = samples.reshape(-1, 2).mean(axis=1).astype("<i2")
        if self._resampler is not None:
            samples = self._resampler.resample_chunk(samples, last=last)
        return bytes(samples.astype("<i2").tobytes())


def _resampler(sample_rate_hz: int) -> Any:
    import soxr  # noqa: PLC0415  as above

    return soxr.ResampleStream(sample_rate_hz, REPLY_RATE_HZ, 1, dtype="int16")


def decoder_of(instance: Instance, form: Form) -> Decoder:
    """Return what decodes speech of a form.

    Raises:
        InstanceForbidden: the form needs a package that is not installed.
        AudioError: no speech has such a rate.
    """
    match form.kind:
        case "pcm":
            return PcmDecoder(form.sample_rate_hz, channels=form.channels)
        case "wav":
            return WavStream(PcmDecoder)
        case "opus" if form.may_pass:
            return OpusPassing(partial(_compressed, instance, "opus"))
        case "mp3" | "opus":
            return _compressed(instance, form.kind)


def _compressed(instance: Instance, form: SpeechFormat) -> Decoder:
    try:
        from dispatcher.providers.tts import compressed_speech  # noqa: PLC0415  as above
    except ModuleNotFoundError as error:
        reason = f"speech comes as {form}, which needs: pip install 'xiaozhi-dispatcher[formats]'"
        raise InstanceForbidden(instance.name, reason) from error
    return compressed_speech.Mp3Decoder() if form == "mp3" else compressed_speech.OggOpusDecoder()


async def decoded(
    instance: Instance, pieces: AsyncGenerator[bytes, None], form: Form
) -> AsyncGenerator[bytes, None]:
    """Yield speech as s16le mono PCM at 24 kHz while its bytes come; closing this closes them.

    Where the form says that it may be, it is passed on as OpusPackets instead.

    Args:
        instance: whom the errors name.
        pieces: the speech as it is sent, in slices of any size but 0.
        form: how it is sent.

    Raises:
        InstanceFailed: it is no such speech; the reason shows its first bytes.
        InstanceForbidden: the form needs a package that is not installed.
    """
    async with aclosing(pieces):
        begun = b""
        while speech_format.is_undecided(begun, certain=form.certain) and (piece := await anext(pieces, b"")):
            begun += piece
        _require_sound(instance, begun, form)
        kind = form.kind
        try:
            kind = form.kind if form.certain else speech_format.kind_of(begun, form.kind)
            decoder = decoder_of(instance, replace(form, kind=kind))
            async for pcm in _decode(decoder, _small(begun, pieces, _PART_BYTES[kind])):
                yield pcm
        except AudioError as error:
            reason = f"speech as {kind}: {error}; it began with {begun[:SHOWN_BYTES]!r}"
            raise InstanceFailed(instance.name, reason) from error


def _require_sound(instance: Instance, begun: bytes, form: Form) -> None:
    """Do nothing where the first bytes may be speech."""
    if not begun:
        raise InstanceFailed(instance.name, "the speech is empty")
    if speech_format.is_text(begun):
        said = in_plain_words(begun[:READ_BYTES].decode("utf-8", "replace"))
        shown = f"speech as {form.kind}: it is a text, {said}; it began with {begun[:SHOWN_BYTES]!r}"
        raise InstanceFailed(instance.name, shown)


async def _decode(decoder: Decoder, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    spoken = False
    async for part in parts:
        if pcm := decoder.feed(part):
            spoken = True
            yield pcm
    if pcm := decoder.finish():
        yield pcm
    elif not spoken:
        raise AudioError("holds no sound")


async def _small(begun: bytes, rest: AsyncGenerator[bytes, None], part_bytes: int) -> AsyncIterator[bytes]:
    """Yield the bytes in parts that decode in a moment, and let the loop's other calls go on between them."""
    piece = begun
    while piece:
        for at in range(0, len(piece), part_bytes):
            if at:
                await asyncio.sleep(0)
            yield piece[at : at + part_bytes]
        piece = await anext(rest, b"")
