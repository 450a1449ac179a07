"""Devices that talk all the time, each turn noted as its user heard it."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from dispatcher.device_simulator import (
    Address,
    DeviceOptions,
    SimulatedDevice,
    TurnEvent,
    TurnResult,
    connect,
    discover,
    paced,
)
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import DispatcherError, FrontError
from dispatcher.messages import OTA_PATH, WEBSOCKET_PATH
from dispatcher.ops.bench.device_speech import is_apology, speech_pcm
from dispatcher.ops.chaos.turn_outcomes import Outcome, TurnHeard

QUESTION: Final = "What time is it?"
# Different for every device and turn, or all of them would soon ask at the same moments.
PAUSE_S: Final = (0.2, 1.2)
LOOK_AGAIN_S: Final = 0.25
# A front that says nothing for so long in the middle of a turn has lost it.
PATIENCE_S: Final = 25.0
# "Going away": a front that stops and had not heard the utterance yet; the device says it to the next one.
GOING_AWAY: Final = "(code 1001)"


class SimulatedDevices:
    """Some devices at some doors, `http://HOST:PORT`; half of them speak, half of them type.

    Attributes:
        turns: all that are over, in the order in which they ended.
        repeated: utterances that a front which was just going did not hear.
    """

    def __init__(self, doors: Sequence[str], devices: int, *, first: int = 0) -> None:
        """Give the devices numbers from `first` on; nothing connects yet."""
        self.turns: list[TurnHeard] = []
        self.repeated = 0
        self._doors = doors
        self._numbers = range(first, first + devices)
        self._speech = encode(speech_pcm(), DeviceOptions())
        self._tokens: dict[tuple[str, str], str] = {}

    @asynccontextmanager
    async def living(self, session: aiohttp.ClientSession) -> AsyncGenerator[None]:
        """Let all of them talk for as long as the block lasts."""
        tasks = [asyncio.create_task(self._live(session, number)) for number in self._numbers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def all_answered_since(self, at_s: float) -> bool:
        """Return whether every device asked something after a Unix time and was answered."""
        happy = {
            turn.device
            for turn in reversed(self.turns)
            if turn.asked_at_s >= at_s and turn.outcome == "answered"
        }
        return happy >= set(self._numbers)

    async def _live(self, session: aiohttp.ClientSession, number: int) -> None:
        options = DeviceOptions(
            device_id=f"02:fe:00:00:{number >> 8:02x}:{number & 255:02x}", keep_audio=False
        )
        refused_at_s: float | None = None
        reason = ""
        for attempt in itertools.count(number):
            user = _User(self, number, self._speech if number % 2 else None)
            try:
                address = await self._address(session, attempt, options)
                async with connect(session, address, options, on_event=user.notice) as device:
                    if refused_at_s is not None:
                        self._note_refusal(number, refused_at_s, reason)
                        refused_at_s = None
                    await user.talk(device)
            except DispatcherError as error:
                if not user.has_talked:
                    refused_at_s, reason = refused_at_s or time.time(), str(error)
                await asyncio.sleep(LOOK_AGAIN_S)
            except asyncio.CancelledError:
                if refused_at_s is not None:
                    self._note_refusal(number, refused_at_s, reason)
                raise

    async def _address(self, session: aiohttp.ClientSession, attempt: int, options: DeviceOptions) -> Address:
        """Return the next door, with the token that OTA gives once; a board asks for it when it boots."""
        door = self._doors[attempt % len(self._doors)]
        if (options.device_id, door) not in self._tokens:
            told = await discover(session, f"{door}{OTA_PATH}", options)
            self._tokens[options.device_id, door] = told.token
        socket = f"ws{door.removeprefix('http')}{WEBSOCKET_PATH}"
        return Address(url=socket, token=self._tokens[options.device_id, door])

    def _note_refusal(self, number: int, since_s: float, reason: str) -> None:
        self.turns.append(
            TurnHeard(
                device=number, asked_at_s=since_s, ended_at_s=time.time(), outcome="refused", reason=reason
            )
        )


class _User:
    """Who holds one device on one connection, and notes each turn."""

    def __init__(self, household: SimulatedDevices, number: int, speech: Sequence[bytes] | None) -> None:
        """Speak these packets; without any, type."""
        self.has_talked = False
        self._household = household
        self._number = number
        self._speech = speech
        self._dice = random.Random()  # noqa: S311  pauses, not secrets
        self._asked_at_s = 0.0
        self._first_audio_ms: float | None = None

    def notice(self, event: TurnEvent) -> None:
        """Note when the question was over, and when the answer began."""
        if event.kind == "speech_ended":
            self._asked_at_s = time.time()
        elif event.kind == "first_audio":
            self._first_audio_ms = event.at_ms

    async def talk(self, device: SimulatedDevice) -> None:
        """Hold turns until the connection is gone.

        Raises:
            FrontError: it is.
        """
        while device.is_connected:
            self._asked_at_s, self._first_audio_ms = time.time(), None
            try:
                result = await self._ask(device)
            except FrontError as error:
                self._note_loss(device, str(error))
                raise
            self.has_talked = True
            apology = is_apology(result)
            heard = result.first_audio_ms is not None
            self._note("apologised" if apology else "answered" if heard else "silent", gaps=result.gaps)
            await asyncio.sleep(self._dice.uniform(*PAUSE_S))
        self.has_talked = True

    async def _ask(self, device: SimulatedDevice) -> TurnResult:
        if self._speech is None:
            return await device.turn_text(QUESTION, timeout_s=PATIENCE_S)
        return await device.turn(paced(self._speech, 60), timeout_s=PATIENCE_S)

    def _note_loss(self, device: SimulatedDevice, reason: str) -> None:
        self.has_talked = True
        if GOING_AWAY in reason and not device.is_spoken_to:
            self._household.repeated += 1
            return
        self._note("silent" if self._first_audio_ms is None else "cut", reason=reason)

    def _note(self, outcome: Outcome, *, gaps: int = 0, reason: str = "") -> None:
        self._household.turns.append(
            TurnHeard(
                device=self._number,
                asked_at_s=self._asked_at_s,
                ended_at_s=time.time(),
                outcome=outcome,
                first_audio_ms=self._first_audio_ms,
                gaps=gaps,
                reason=reason,
            )
        )
