"""Real engines behind the switch of the timed ones: they do their work, and fail when they are told to.

Only where ALLOW_VERIFY is true: `dispatcher verify` then hurts the very instances that otherwise answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, TypeVar, cast

from dispatcher.bundled.engines import (
    AsrEngine,
    Call,
    Engine,
    Language,
    LlmEngine,
    Message,
    Service,
    Tool,
    Transcription,
    TtsEngine,
)
from dispatcher.bundled.timed.faults import Fault, Faults
from dispatcher.bundled.timed.pace import KEEP_ALIVE_S, Schedule, fail_early

Piece = TypeVar("Piece", bound=str | bytes | Call)

# How long a real engine takes is not known beforehand; an error "in its normal time" comes after this.
NORMAL: Final = Schedule(first_s=0.3)


def behind_switch(service: Service, engine: Engine, faults: Faults) -> Engine:
    """Return the engine, failing as the switch says."""
    match service:
        case "asr":
            return FailingAsr(cast("AsrEngine", engine), faults)
        case "llm":
            return FailingLlm(cast("LlmEngine", engine), faults)
        case "tts":
            return FailingTts(cast("TtsEngine", engine), faults)


class FailingAsr:
    """Hears, or fails."""

    def __init__(self, engine: AsrEngine, faults: Faults) -> None:
        """Stand before an engine."""
        self.model = engine.model
        self._engine = engine
        self._faults = faults

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:
        """Return what the engine hears. Faults that need a stream come out as no answer at all."""
        fault = self._faults.current()
        await fail_early(NORMAL, fault)
        if fault.mode in {"keepalive", "stall-after"}:
            await asyncio.Event().wait()
        clock = asyncio.get_running_loop().time
        began_s = clock()
        heard = await self._engine.transcribe(wav, language=language, prompt=prompt)
        await asyncio.sleep(_more_s(fault, clock() - began_s))
        return heard

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


class FailingLlm:
    """Answers, or fails."""

    def __init__(self, engine: LlmEngine, faults: Faults) -> None:
        """Stand before an engine."""
        self.model = engine.model
        self._engine = engine
        self._faults = faults

    def respond(
        self, messages: Sequence[Message], *, language: Language, tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[str | Call, None]:
        """Yield the engine's answer as the fault lets it."""
        answer = self._engine.respond(messages, language=language, tools=tools)
        return _hindered(answer, self._faults.current(), sign_of_life="")

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


class FailingTts:
    """Speaks, or fails."""

    def __init__(self, engine: TtsEngine, faults: Faults) -> None:
        """Stand before an engine."""
        self.model = engine.model
        self._engine = engine
        self._faults = faults

    def speak(self, text: str, *, language: Language, speed: float) -> AsyncGenerator[bytes, None]:
        """Yield the engine's speech as the fault lets it."""
        speech = self._engine.speak(text, language=language, speed=speed)
        return _hindered(speech, self._faults.current(), sign_of_life=b"")

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()


async def _hindered(
    pieces: AsyncGenerator[Piece, None], fault: Fault, *, sign_of_life: Piece
) -> AsyncGenerator[Piece, None]:
    """Yield the pieces, or fail; what an engine needs for a piece is what `slow` multiplies."""
    clock = asyncio.get_running_loop().time
    async with aclosing(pieces):
        await fail_early(NORMAL, fault)
        while fault.mode == "keepalive":
            yield sign_of_life
            await asyncio.sleep(KEEP_ALIVE_S)
        index, began_s = 0, clock()
        async for piece in pieces:
            if fault.mode == "stall-after" and index >= fault.value:
                await asyncio.Event().wait()
            await asyncio.sleep(_more_s(fault, clock() - began_s))
            yield piece
            index, began_s = index + 1, clock()


def _more_s(fault: Fault, took_s: float) -> float:
    """Return how much longer a piece takes that took so long."""
    if fault.mode == "slow":
        return took_s * (fault.value - 1)
    return fault.value if fault.mode == "drip" else 0.0
