"""Simulated devices that talk all the time, and every turn as its user heard it."""

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
from dispatcher.ops.bench.device_speech import speech_pcm
from dispatcher.ops.chaos.turn_outcomes import DeviceTurn, Outcome
from dispatcher.ops.talk.apology_reason import is_apology

QUESTION: Final = "What time is it?"
# Different for every device and turn, or all of them would soon ask at the same moments.
PAUSE_S: Final = (0.2, 1.2)
RECONNECT_INTERVAL_S: Final = 0.25
# A front that sends nothing for so long in the middle of a turn has lost it.
TURN_TIMEOUT_S: Final = 25.0
# "Going away": a front that stops before it received the utterance; the device repeats it to the next one.
GOING_AWAY: Final = "(code 1001)"
# A front that ended without a word, as after SIGKILL.
ABNORMAL_CLOSE: Final = "(code 1006)"


class SimulatedDevices:
    """Some devices at some entry URLs, `http://HOST:PORT`; half of them speak, half of them type.

    Attributes:
        turns: all that are over, in the order in which they ended.
        repeated: utterances that a front which was just stopping did not receive.
    """

    def __init__(self, entry_urls: Sequence[str], devices: int, *, first: int = 0) -> None:
        """Give the devices numbers from `first` on; nothing connects yet."""
        self.turns: list[DeviceTurn] = []
        self.repeated = 0
        self._entry_urls = entry_urls
        self._numbers = range(first, first + devices)
        self._speech = encode(speech_pcm(), DeviceOptions())
        self._tokens: dict[tuple[str, str], str] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    @property
    def talkers(self) -> int:
        """How many talk."""
        return len(self._numbers)

    @asynccontextmanager
    async def talking(self, session: aiohttp.ClientSession) -> AsyncGenerator[None]:
        """Let all of them talk for as long as the block lasts."""
        self.resize(session, self.talkers)
        try:
            yield
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def resize(self, session: aiohttp.ClientSession, devices: int) -> None:
        """Let so many of them talk from now on; those that leave break off, which is no turn."""
        self._numbers = range(self._numbers.start, self._numbers.start + devices)
        for number in self._tasks.keys() - set(self._numbers):
            self._tasks.pop(number).cancel()
        for number in self._numbers:
            if number not in self._tasks:
                self._tasks[number] = asyncio.create_task(self._talk(session, number))

    def all_answered_since(self, at_s: float) -> bool:
        """Return whether every device asked something after a Unix time and was answered."""
        answered = {
            turn.device
            for turn in reversed(self.turns)
            if turn.asked_at_s >= at_s and turn.outcome == "answered"
        }
        return answered >= set(self._numbers)

    async def _talk(self, session: aiohttp.ClientSession, number: int) -> None:
        options = DeviceOptions(
            device_id=f"02:fe:00:00:{number >> 8:02x}:{number & 255:02x}", keep_audio=False
        )
        refused_at_s: float | None = None
        reason = ""
        try:
            for attempt in itertools.count(number):
                turns = _DeviceTurns(self, number, self._speech if number % 2 else None)
                try:
                    address = await self._address(session, attempt, options)
                    async with connect(session, address, options, on_event=turns.record_event) as device:
                        if refused_at_s is not None:
                            self._note_refusal(number, refused_at_s, reason)
                            refused_at_s = None
                        await turns.talk(device)
                except DispatcherError as error:
                    if not turns.has_talked:
                        refused_at_s, reason = refused_at_s or time.time(), str(error)
                    await asyncio.sleep(RECONNECT_INTERVAL_S)
        finally:
            if refused_at_s is not None:
                self._note_refusal(number, refused_at_s, reason)

    async def _address(self, session: aiohttp.ClientSession, attempt: int, options: DeviceOptions) -> Address:
        """Return the next entry, with the token that OTA gives once; a board asks for it when it boots."""
        entry = self._entry_urls[attempt % len(self._entry_urls)]
        if (options.device_id, entry) not in self._tokens:
            found = await discover(session, f"{entry}{OTA_PATH}", options)
            self._tokens[options.device_id, entry] = found.token
        socket = f"ws{entry.removeprefix('http')}{WEBSOCKET_PATH}"
        return Address(url=socket, token=self._tokens[options.device_id, entry])

    def _note_refusal(self, number: int, since_s: float, reason: str) -> None:
        self.turns.append(
            DeviceTurn(
                device=number, asked_at_s=since_s, ended_at_s=time.time(), outcome="refused", reason=reason
            )
        )


class _DeviceTurns:
    """Turns of one device on one connection."""

    def __init__(self, devices: SimulatedDevices, number: int, speech: Sequence[bytes] | None) -> None:
        """Speak these packets; without any, type."""
        self.has_talked = False
        self._devices = devices
        self._number = number
        self._speech = speech
        self._rng = random.Random()  # noqa: S311  pauses, not secrets
        self._asked_at_s = 0.0
        self._first_audio_ms: float | None = None

    def record_event(self, event: TurnEvent) -> None:
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
            self._note("apologised" if apology else "answered" if heard else "silent", result=result)
            await asyncio.sleep(self._rng.uniform(*PAUSE_S))
        self.has_talked = True

    async def _ask(self, device: SimulatedDevice) -> TurnResult:
        if self._speech is None:
            return await device.turn_text(QUESTION, timeout_s=TURN_TIMEOUT_S)
        return await device.turn(paced(self._speech, 60), timeout_s=TURN_TIMEOUT_S)

    def _note_loss(self, device: SimulatedDevice, reason: str) -> None:
        self.has_talked = True
        if GOING_AWAY in reason and not device.is_spoken_to:
            self._devices.repeated += 1
            return
        unheard: Outcome = "disconnected" if ABNORMAL_CLOSE in reason else "silent"
        self._note(unheard if self._first_audio_ms is None else "cut", reason=reason)

    def _note(self, outcome: Outcome, *, result: TurnResult | None = None, reason: str = "") -> None:
        texts = [sentence.text for sentence in result.sentences] if result else []
        self._devices.turns.append(
            DeviceTurn(
                device=self._number,
                asked_at_s=self._asked_at_s,
                ended_at_s=time.time(),
                outcome=outcome,
                first_audio_ms=self._first_audio_ms,
                gaps=result.gaps if result else 0,
                repeated_sentences=len(texts) - len(set(texts)),
                reason=reason,
            )
        )
