"""Baseline: the calls of a turn made directly, by one asyncio script with no queue in between.

`python -m dispatcher.ops.bench.baseline`, with a plan on stdin. It asks the first instance of each
service, cuts the reply as the workers do and encodes as they do, so that what lies between its times
and those of a device is what the dispatcher adds.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from dispatcher.audio.opus import OpusEncoder, PacketEncoder
from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue import Catalogue, Instance, load_catalogue
from dispatcher.device_simulator import DecodeQueue
from dispatcher.dialogue.history import Message
from dispatcher.dialogue.sentences import SentenceSplitter
from dispatcher.errors import InstanceError
from dispatcher.messages import REPLY_FRAME_MS, REPLY_RATE_HZ, UPLINK_RATE_HZ, Language, Service
from dispatcher.ops.bench.device_speech import speech_pcm
from dispatcher.ops.bench.measuring_process import carry_out, report_turn
from dispatcher.ops.bench.samples import Samples, TurnSample
from dispatcher.providers.registry import Providers
from dispatcher.speech_text.block_stream import BlockStream
from dispatcher.speech_text.cleaner import clean

PAUSE_S: Final = 0.1
# No pacing between the speech and the device: its queue holds a whole reply.
FRAMES_OF_ANY_REPLY: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselinePlan:
    """Extent of the baseline: `turns` measured turns after one that warms it up."""

    config: str
    turns: int


class Baseline:
    """One device's turns, without devices."""

    def __init__(self, catalogue: Catalogue, providers: Providers) -> None:
        """Use the first instance of each service."""
        self._catalogue = catalogue
        self._providers = providers
        self._wav = wav_bytes(speech_pcm(), UPLINK_RATE_HZ)
        self._language: Language = catalogue.conversation.language
        self._encoder = PacketEncoder(OpusEncoder(REPLY_RATE_HZ, REPLY_FRAME_MS))

    async def turn(self) -> TurnSample:
        """Return the times of one turn.

        Raises:
            InstanceError: a call failed.
        """
        clock = asyncio.get_running_loop().time
        begun_s = clock()
        instance = self._instance("asr")
        transcript = await self._providers.asr(instance).transcribe(instance, self._wav, self._language)
        transcript_ms = (clock() - begun_s) * 1000
        playback = DecodeQueue(FRAMES_OF_ANY_REPLY, REPLY_FRAME_MS)
        first_s: float | None = None
        sentences: asyncio.Queue[str | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._write(transcript.text, sentences))
            while (sentence := await sentences.get()) is not None:
                first_s = await self._speak(sentence, playback, first_s)
        return TurnSample(
            transcript_ms=transcript_ms,
            first_audio_ms=((first_s or clock()) - begun_s) * 1000,
            end_ms=(playback.silent_at_s(clock()) - begun_s) * 1000,
            gaps=playback.gaps,
            gap_ms=playback.gap_ms,
            late=playback.late,
            frames=playback.accepted,
        )

    async def _write(self, text: str, sentences: asyncio.Queue[str | None]) -> None:
        instance = self._instance("llm")
        blocks, splitter = BlockStream(), SentenceSplitter()
        async for piece in self._providers.llm(instance).chat(instance, [Message(role="user", content=text)]):
            for sentence in splitter.feed(blocks.feed(piece if isinstance(piece, str) else "")):
                sentences.put_nowait(sentence)
        for sentence in splitter.feed(blocks.finish()) + splitter.finish():
            sentences.put_nowait(sentence)
        sentences.put_nowait(None)

    async def _speak(self, sentence: str, playback: DecodeQueue, first_s: float | None) -> float | None:
        """Synthesize a sentence into the playback; return when the first packet of the turn was encoded."""
        clock = asyncio.get_running_loop().time
        instance = self._instance("tts")
        text = clean(sentence)
        if not text:
            return first_s
        async for pcm in self._providers.tts(instance).synthesize(instance, text, self._language):
            for _ in self._encoder.feed(pcm):
                first_s = first_s or clock()
                playback.put(clock())
        for _ in self._encoder.flush():
            playback.put(clock())
        return first_s

    def _instance(self, service: Service) -> Instance:
        return self._catalogue.services[service].instances[0]


async def run(plan: BaselinePlan) -> Samples:
    """Run the turns of a plan, one after the other."""
    providers = Providers()
    baseline = Baseline(load_catalogue(Path(plan.config)), providers)
    turns: list[TurnSample] = []
    lost: list[str] = []
    begun_cpu_s = time.process_time()
    try:
        for _ in range(1 + plan.turns):
            try:
                turns.append(await baseline.turn())
            except* InstanceError as errors:
                lost += [str(error) for error in errors.exceptions]
            report_turn()
            await asyncio.sleep(PAUSE_S)
    finally:
        await providers.close()
    return Samples(
        turns=tuple(turns[1:]),
        lost=tuple(lost),
        all_turns=1 + plan.turns,
        cpu_s=time.process_time() - begun_cpu_s,
    )


async def _run(fields: dict[str, Any]) -> dict[str, Any]:
    return asdict(await run(BaselinePlan(**fields)))


if __name__ == "__main__":
    carry_out(_run)
