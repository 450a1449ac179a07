"""Load of devices that speak for a while: `python -m dispatcher.ops.bench.overload_load`, a plan on stdin."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import aiohttp

from dispatcher.device_simulator import Address, DeviceOptions, TurnResult, connect, paced
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import DispatcherError
from dispatcher.ops.bench.device_load import PAUSE_S
from dispatcher.ops.bench.device_speech import speech_pcm
from dispatcher.ops.bench.measuring_process import carry_out, report_turn
from dispatcher.ops.talk.apology_reason import is_apology, is_turned_away

TURN_TIMEOUT_S: Final = 60.0
# Of the LLM. Its first clause lasts until the next one is there, so that an answer without a gap has none.
OVERLOAD_ANSWER: Final = (
    "The kettle is on for you now, and tea will be ready soon. Please sit down for a moment with me."
)
# Of the LLM, which are what there is too little of.
PLACES: Final = 8
AUDIBLE_MS: Final = 2_000
# The devices begin evenly over it.
RAMP_S: Final = 3.0
# In the middle of an utterance that hesitates; shorter than any silence that ends one.
PAUSE_MS: Final = 400


def devices_at(level: int, *, cycle_s: float, hold_s: float) -> int:
    """Return how many devices ask for `level` per cent of what the places can take.

    Args:
        level: in per cent.
        cycle_s: from a turn to the next one of a device that waits for nothing.
        hold_s: for how long a call holds a place.
    """
    return max(1, round(level / 100 * cycle_s * PLACES / hold_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadLoadPlan:
    """Extent of the load: so many devices begin turns for so long, after their start over `ramp_s`.

    Attributes:
        is_auto: the devices send silence after their speech, and not that it ended.
        hesitant_ratio: share of the utterances that have a pause in the middle.
        recovery_timeout_s: for so long after it a device looks whether turns are late.
    """

    url: str
    devices: int
    seconds: float
    ramp_s: float = RAMP_S
    seed: int = 1
    is_auto: bool = False
    hesitant_ratio: float = 0.0
    recovery_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OverloadTurn:
    """One turn; `ended_s` counts from the start of the load, `first_ms` from the end of speech."""

    device: int
    ended_s: float
    first_ms: float | None
    has_gap: bool
    answered: bool
    turned_away: bool = False


class OverloadLoad:
    """The devices of one level."""

    def __init__(self, plan: OverloadLoadPlan, session: aiohttp.ClientSession) -> None:
        """Encode the speech that all of them say."""
        self._plan, self._session = plan, session
        self._options = DeviceOptions(keep_audio=False, mode="auto" if plan.is_auto else "manual")
        self._speech = encode(speech_pcm(), self._options)
        self._hesitant = encode(speech_pcm(pause_ms=PAUSE_MS), self._options)
        self._began_at = time.monotonic()
        self.turns: list[OverloadTurn] = []

    async def run(self) -> float:
        """Load, and return for how long after it the turns of another device were late."""
        async with asyncio.TaskGroup() as group:
            for number in range(1, 1 + self._plan.devices):
                group.create_task(self._speak(number))
            recovering = group.create_task(self._recover())
        return recovering.result()

    async def _speak(self, number: int) -> None:
        rng = random.Random(f"{self._plan.seed} {number}")  # noqa: S311  pauses, not secrets
        await asyncio.sleep(rng.uniform(0, self._plan.ramp_s))
        while self._now_s() < self._plan.seconds:
            try:
                async with connect(self._session, Address(url=self._plan.url), self._named(number)) as device:
                    while self._now_s() < self._plan.seconds:
                        is_hesitant = rng.random() < self._plan.hesitant_ratio
                        await self._hold_turn(device, number, is_hesitant=is_hesitant)
                        await asyncio.sleep(rng.uniform(*PAUSE_S))
            except DispatcherError:
                lost = OverloadTurn(
                    device=number, ended_s=self._now_s(), first_ms=None, has_gap=False, answered=False
                )
                self._count(lost)

    async def _recover(self) -> float:
        """Begin a turn twice a second after the load, until one is audible in time."""
        await asyncio.sleep(self._plan.seconds - self._now_s())
        end_s = self._now_s() + self._plan.recovery_timeout_s
        async with connect(self._session, Address(url=self._plan.url), self._named(0)) as device:
            while (begun_s := self._now_s()) < end_s:
                result = await device.turn_text("What time is it?", timeout_s=TURN_TIMEOUT_S)
                if (result.first_audio_ms or TURN_TIMEOUT_S * 1000) < AUDIBLE_MS and not is_apology(result):
                    return max(0.0, begun_s - self._plan.seconds)
        return self._plan.recovery_timeout_s

    async def _hold_turn(self, device: Any, number: int, *, is_hesitant: bool) -> None:
        speech = self._hesitant if is_hesitant else self._speech
        result = await device.turn(paced(speech, self._options.frame_ms), timeout_s=TURN_TIMEOUT_S)
        answered = result.first_audio_ms is not None and not is_apology(result)
        turn = OverloadTurn(
            device=number,
            ended_s=self._now_s(),
            first_ms=result.first_audio_ms,
            has_gap=result.gaps > _fillers_in(result),
            answered=answered,
            turned_away=is_turned_away(result),
        )
        self._count(turn)

    def _count(self, turn: OverloadTurn) -> None:
        self.turns.append(turn)
        report_turn()

    def _named(self, number: int) -> DeviceOptions:
        return replace(self._options, device_id=f"02:be:00:00:{number >> 8:02x}:{number & 255:02x}")

    def _now_s(self) -> float:
        return time.monotonic() - self._began_at


def _fillers_in(result: TurnResult) -> int:
    """Return how many phrases were spoken before the answer; the wait after one is no gap of the answer."""
    return sum(sentence.text not in OVERLOAD_ANSWER for sentence in result.sentences)


async def _run(fields: dict[str, Any]) -> dict[str, Any]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        load = OverloadLoad(OverloadLoadPlan(**fields), session)
        recovered_s = await load.run()
    return {"turns": [asdict(turn) for turn in load.turns], "recovered_s": recovered_s}


if __name__ == "__main__":
    carry_out(_run)
