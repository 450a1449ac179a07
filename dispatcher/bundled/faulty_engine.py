"""Injection of faults into the calls of any engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

from dispatcher.bundled.engines import (
    Call,
    Language,
    Message,
    RemoteEngine,
    ThreadedEngine,
    Tool,
    Transcription,
)
from dispatcher.bundled.fault_setting import Fault, FaultSetting
from dispatcher.bundled.request_errors import RequestError

Piece = TypeVar("Piece", bound=str | bytes | Call)

KEEPALIVE_INTERVAL_S: Final = 1.0


class FaultyEngine:
    """An engine of any service behind the fault switch of its instance."""

    def __init__(self, engine: Any, switch: FaultSetting) -> None:
        """Wrap an engine, which does the work where no fault is set."""
        self.model: str = engine.model
        self._engine = engine
        self._switch = switch

    async def problem(self) -> str:
        """Return why the engine cannot work now, where it works elsewhere."""
        return await self._engine.problem() if isinstance(self._engine, RemoteEngine) else ""

    def close(self) -> None:
        """Give back the threads that the engine has."""
        if isinstance(self._engine, ThreadedEngine):
            self._engine.close()

    async def transcribe(self, wav: bytes, *, language: Language, prompt: str) -> Transcription:
        """Return the engine's transcription; faults that need a stream come out as no answer at all."""
        fault = self._switch.current()
        _raise_if(fault, "fast-error")
        if fault.mode in {"keepalive", "stall-after"}:
            await asyncio.Event().wait()
        clock = asyncio.get_running_loop().time
        started_s = clock()
        transcription: Transcription = await self._engine.transcribe(wav, language=language, prompt=prompt)
        await asyncio.sleep(_extra_s(fault, clock() - started_s))
        _raise_if(fault, "error")
        return transcription

    def respond(
        self, messages: Sequence[Message], *, language: Language, tools: Sequence[Tool] = ()
    ) -> AsyncGenerator[str | Call, None]:
        """Yield the engine's answer as the fault lets it."""
        answer = self._engine.respond(messages, language=language, tools=tools)
        return _with_fault(answer, self._switch.current(), sign_of_life="")

    def speak(
        self, text: str, *, language: Language, speed: float, voice: str = ""
    ) -> AsyncGenerator[bytes, None]:
        """Yield the engine's speech as the fault lets it."""
        speech = self._engine.speak(text, language=language, speed=speed, voice=voice)
        return _with_fault(speech, self._switch.current(), sign_of_life=b"")


def _with_fault(
    pieces: AsyncGenerator[Piece, None], fault: Fault, *, sign_of_life: Piece
) -> AsyncGenerator[Piece, None]:
    return pieces if fault.mode == "none" else _faulty(pieces, fault, sign_of_life)


async def _faulty(
    pieces: AsyncGenerator[Piece, None], fault: Fault, sign_of_life: Piece
) -> AsyncGenerator[Piece, None]:
    """Yield the pieces, or fail; the time that the engine needs for a piece is what `slow` multiplies."""
    clock = asyncio.get_running_loop().time
    async with aclosing(pieces):
        _raise_if(fault, "fast-error")
        while fault.mode == "keepalive":
            yield sign_of_life
            await asyncio.sleep(KEEPALIVE_INTERVAL_S)
        index, started_s = 0, clock()
        async for piece in pieces:
            _raise_if(fault, "error")
            if fault.mode == "stall-after" and index >= fault.value:
                await asyncio.Event().wait()
            if index or fault.mode != "drip":
                await asyncio.sleep(_extra_s(fault, clock() - started_s))
            yield piece
            index, started_s = index + 1, clock()


def _extra_s(fault: Fault, took_s: float) -> float:
    """Return how much longer a piece takes that took the engine so long."""
    if fault.mode == "slow":
        return took_s * (fault.value - 1)
    return fault.value if fault.mode == "drip" else 0.0


def _raise_if(fault: Fault, mode: str) -> None:
    if fault.mode == mode:
        raise RequestError(f"told to fail: {fault.mode}", status=500, code="fault")
