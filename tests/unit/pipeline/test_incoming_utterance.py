"""Incoming utterances: every reader gets all of the audio, from the beginning, and its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from dispatcher.audio.opus import OpusDecoder
from dispatcher.audio.packets import pack
from dispatcher.audio.pcm import read_wav
from dispatcher.device_simulator import DeviceOptions, packets_of
from dispatcher.errors import AudioError, DeadlineExceeded, DispatcherError, StateError
from dispatcher.messages import AudioFormat, TurnTicket
from dispatcher.pipeline.incoming_utterance import IncomingUtterance
from dispatcher.turn_store.utterance_stream import UtterancePart, UtteranceReader
from tests.support.device import SPEECH

SPOKEN = packets_of(SPEECH, DeviceOptions())
LATER_S = time.time() + 3600


class Reader:
    """Gives what the test puts into it; a number is a quiet time, an error is raised."""

    def __init__(self, *coming: Sequence[UtterancePart] | DispatcherError | float) -> None:
        self.coming = list(coming)
        self.more = asyncio.Event()

    async def read(self) -> list[UtterancePart]:
        if not self.coming:
            await self.more.wait()
            return []
        found = self.coming.pop(0)
        if isinstance(found, DispatcherError):
            raise found
        if isinstance(found, float):
            await asyncio.sleep(found)
            return []
        return list(found)


def ticket(audio_format: AudioFormat = "opus", rate_hz: int = 16_000) -> TurnTicket:
    return TurnTicket(
        turn_id="a-turn",
        attempt=1,
        device_id="a-device",
        reply_stream="a-front",
        deadline_at_s=LATER_S,
        audio_format=audio_format,
        uplink_rate_hz=rate_hz,
        live=True,
    )


# What the utterance becomes at its end.
TURN = replace(ticket(), deadline_at_s=LATER_S + 1, live=False)


def part(packets: Sequence[bytes], *, last: bool = False) -> UtterancePart:
    return UtterancePart(packed=pack(packets), ticket=TURN if last else None)


def nothing(_: float | None = None) -> None:
    """Do not care."""


async def listen(utterance: IncomingUtterance) -> bytes:
    return b"".join([piece async for piece in utterance.pieces(nothing)])


async def follow(utterance: IncomingUtterance, reader: Reader) -> None:
    await utterance.follow(cast("UtteranceReader", reader))


def decoded(packets: Sequence[bytes]) -> bytes:
    decoder = OpusDecoder(16_000)
    return b"".join(decoder.decode(packet) for packet in packets)


@pytest.mark.parametrize("entry", [2, 100])
async def test_every_reader_gets_all_of_it_whenever_it_begins(entry: int) -> None:
    deadlines: list[float] = []
    utterance = IncomingUtterance(ticket(), deadlines.append)
    entries = [part(SPOKEN[at : at + entry]) for at in range(0, len(SPOKEN), entry)]
    early = asyncio.create_task(listen(utterance))
    await follow(utterance, Reader(*[[each] for each in entries], [part([], last=True)]))
    assert await early == await listen(utterance) == decoded(SPOKEN)
    assert utterance.over
    assert (deadlines, utterance.ticket) == ([TURN.deadline_at_s], TURN)
    assert read_wav(utterance.as_wav()) == (decoded(SPOKEN), 16_000)


async def test_the_end_wakes_those_that_wait_and_the_clock_of_the_call_starts_then() -> None:
    utterance = IncomingUtterance(ticket(), nothing)
    ends: list[bool] = []
    reader = Reader([part(SPOKEN[:2])])
    hearing = asyncio.create_task(listen(utterance))
    waiting = asyncio.create_task(utterance.until_over())
    following = asyncio.create_task(follow(utterance, reader))
    pieces = utterance.pieces(lambda: ends.append(True))
    assert await anext(pieces) == decoded(SPOKEN[:2])
    assert [bool(ends), waiting.done(), hearing.done()] == [False, False, False]
    reader.coming.append([part(SPOKEN[2:4], last=True)])
    reader.more.set()
    assert len(await hearing) == len(decoded(SPOKEN[:4]))
    assert len([piece async for piece in pieces]) == 1
    assert ends == [True]
    await asyncio.gather(waiting, following)


@pytest.mark.parametrize("error", [StateError("redis is unreachable"), AudioError("half a packet")])
async def test_an_error_is_raised_by_those_that_wait(error: DispatcherError) -> None:
    utterance = IncomingUtterance(ticket(), nothing)
    await follow(utterance, Reader([part(SPOKEN[:2])], error))
    for wait in (listen(utterance), utterance.until_over()):
        with pytest.raises(type(error), match=str(error)):
            await wait


async def test_a_front_that_is_gone_is_noticed() -> None:
    utterance = IncomingUtterance(ticket(), nothing)
    await follow(utterance, Reader([part(SPOKEN[:2])], 11.0))
    with pytest.raises(StateError, match="stopped coming"):
        await utterance.until_over()


async def test_a_turn_whose_time_is_over_by_then_is_for_nobody() -> None:
    def too_late(_: float) -> None:
        raise DeadlineExceeded("1 s late")

    utterance = IncomingUtterance(ticket(), too_late)
    await follow(utterance, Reader([part(SPOKEN, last=True)]))
    with pytest.raises(DeadlineExceeded):
        await listen(utterance)


async def test_packets_that_do_not_decode_are_left_out_and_nothing_else_is_an_error() -> None:
    some = IncomingUtterance(ticket(), nothing)
    await follow(some, Reader([part([SPOKEN[0], b"\xff\x00", SPOKEN[1]], last=True)]))
    assert await listen(some) == decoded(SPOKEN[:2])
    none = IncomingUtterance(ticket(), nothing)
    await follow(none, Reader([part([b"\xff\x00"], last=True)]))
    with pytest.raises(AudioError, match="none of 1 packets"):
        await listen(none)


async def test_pcm_of_another_rate_is_resampled_to_16_khz_without_seams() -> None:
    utterance = IncomingUtterance(ticket("pcm", 48_000), nothing)
    # A constant: every seam would show as a step.
    frames = [b"\x00\x20" * 2_880] * 20
    await follow(utterance, Reader(*[[part([frame])] for frame in frames], [part([], last=True)]))
    pcm = await listen(utterance)
    assert len(pcm) == pytest.approx(20 * 960 * 2, rel=0.05)
    middle = memoryview(pcm[2_000 : len(pcm) // 2 * 2]).cast("h").tolist()
    assert max(middle) - min(middle) <= 4
