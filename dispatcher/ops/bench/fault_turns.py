"""Turns of a simulated device while one of two instances fails, with their routing decisions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp

from dispatcher.bundled.fault_setting import read_fault
from dispatcher.catalogue import Instance
from dispatcher.device_simulator import DeviceOptions, SimulatedDevice, TurnResult
from dispatcher.device_simulator.speech import encode
from dispatcher.errors import FrontError, StartError
from dispatcher.messages import SERVICES
from dispatcher.ops.bench.device_speech import speech_pcm
from dispatcher.ops.bench.fault_cases import Decisions, ServiceCase
from dispatcher.ops.fault_switch import FaultSwitch
from dispatcher.ops.talk.apology_reason import is_apology
from dispatcher.redis_client import keys
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing import admin, decisions
from dispatcher.routing.decisions import Decision

QUESTION: Final = "What time is it?"
# A front that is silent for so long in the middle of a turn has lost it.
TURN_TIMEOUT_S: Final = 20.0
# The better one of the two is preferred after a turn or two, unless the machine hiccups.
MAX_WARM_TURNS: Final = 8
LEASE_POLL_INTERVAL_S: Final = 0.1
_SPEED: Final = ("latency_ewma_ms", "latency_at_ms", "first_ms", "slow_since_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTurn:
    """One turn.

    Attributes:
        first_result_ms: time of the first result, as `ServiceCase.counted` says; None where none came.
        first_audio_ms: from the end of the question to the first packet at the device; None where none came.
        asked: the instances of the service in the order of the picks.
        asked_again_ms: when the second one was asked, after the first; None where none was.
        answered_by: whose answer was spoken to its end; empty where nobody's was.
        same_words: the device heard the same sentences as ever, each once.
        gaps: silences inside the reply; a busy machine makes some too.
        lost: why no answer came; empty where one did.
    """

    first_result_ms: float | None
    first_audio_ms: float | None
    asked: tuple[str, ...]
    asked_again_ms: float | None
    answered_by: str
    same_words: bool
    gaps: int = 0
    lost: str = ""

    @property
    def unnoticed(self) -> bool:
        """Whether the listener could not tell that anything was wrong, but for the time."""
        return self.same_words and not self.gaps


def read_turn(case: ServiceCase, made: Decisions, result: TurnResult, usual: str) -> FaultTurn:
    """Return one turn from its decisions of each service, oldest first, and from the device.

    Args:
        case: whose instance failed.
        made: the decisions.
        result: what the device heard.
        usual: what the device hears when nothing fails.
    """
    found = [each for each in made[case.service] if not each.is_probe]
    answered = [each.instance for each in found if each.end is not None and each.end.outcome == "ok"]
    return FaultTurn(
        first_result_ms=case.first_result_ms(made, result.first_audio_ms),
        first_audio_ms=result.first_audio_ms,
        asked=tuple(each.instance for each in found),
        asked_again_ms=float(found[1].at_ms - found[0].at_ms) if len(found) > 1 else None,
        answered_by=answered[-1] if answered else "",
        same_words=said_in(result) == usual,
        gaps=result.gaps,
        lost="answered with an apology" if is_apology(result) else "",
    )


def said_in(result: TurnResult) -> str:
    """Return all that a device heard, as text."""
    return " ".join(sentence.text for sentence in result.sentences)


class FaultTurns:
    """Turns of one device, and the switch of the instance that fails."""

    def __init__(
        self,
        redis: RedisClient,
        session: aiohttp.ClientSession,
        case: ServiceCase,
        instances: Sequence[Instance],
        device: SimulatedDevice,
    ) -> None:
        """Use the stack that runs; the first one of the service's instances is the one that fails."""
        self._redis = redis
        self._case = case
        self._both = instances
        url = instances[0].endpoint.removesuffix("/v1")
        self._switch = FaultSwitch(session=session, name=instances[0].name, url=url)
        self._device = device
        self._speech = encode(speech_pcm(), DeviceOptions()) if case.speaks else []
        self._usual = ""

    @property
    def failing(self) -> str:
        """Name of the instance that fails."""
        return self._both[0].name

    async def restore(self) -> None:
        """Let both do right, forget their health and speed, and speak until the one to fail is preferred.

        Raises:
            StartError: it is not preferred after some turns, or a healthy turn was lost.
        """
        await self.inject("none")
        await self._wait_until_idle()
        for each in self._both:
            await admin.restore(self._redis, each.name)
            # A slow one would be avoided for a while after the fault.
            await self._redis.execute("HDEL", keys.instance(each.service, each.name), *_SPEED)
        for _ in range(MAX_WARM_TURNS):
            turn = await self.speak()
            if turn.lost:
                raise StartError(f"bench: a turn was lost with nothing broken: {turn.lost}")
            if turn.asked == (self.failing,) and turn.same_words:
                return
        raise StartError(f"bench: {self.failing} was not preferred in {MAX_WARM_TURNS} turns")

    async def _wait_until_idle(self) -> None:
        """Wait until lost hedges are observed to completion: a late instance is avoided.

        Raises:
            StartError: they do not end.
        """
        held = keys.leases(self._case.service, self.failing)
        for _ in range(round(TURN_TIMEOUT_S / LEASE_POLL_INTERVAL_S)):
            if not await self._redis.execute("ZCARD", held):
                return
            await asyncio.sleep(LEASE_POLL_INTERVAL_S)
        raise StartError(f"bench: calls of {self.failing} do not end")

    async def inject(self, mode: str) -> None:
        """Let the first instance fail in a mode, written as in stall-after=3.

        Raises:
            FaultUnavailable: it refused.
        """
        await self._switch.set(read_fault(mode))

    async def meet(self) -> FaultTurn:
        """Speak until the failing instance was asked, and return that turn.

        A moment of the machine may have made the other one look better; such turns know of no fault.

        Raises:
            StartError: it was not asked in some turns.
        """
        for _ in range(MAX_WARM_TURNS):
            turn = await self.speak()
            if self.failing in turn.asked:
                return turn
        raise StartError(f"bench: {self.failing} was not asked in {MAX_WARM_TURNS} turns")

    async def speak(self) -> FaultTurn:
        """Hold one turn and return what came of it; one that is lost says why."""
        since = await decisions.last_id(self._redis)
        try:
            result = await self._ask()
        except FrontError as error:
            found = await decisions.newest(self._redis, self._case.service, since=since)
            return _lost_turn(found, str(error))
        if not self._usual:
            self._usual = said_in(result)
        made = {service: await decisions.newest(self._redis, service, since=since) for service in SERVICES}
        return read_turn(self._case, made, result, self._usual)

    async def _ask(self) -> TurnResult:
        if not self._case.speaks:
            return await self._device.turn_text(QUESTION, timeout_s=TURN_TIMEOUT_S)
        return await self._device.turn(_at_once(self._speech), timeout_s=TURN_TIMEOUT_S)


async def _at_once(packets: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield packets as fast as they go: how long the user speaks is not what is measured."""
    for packet in packets:
        yield packet


def _lost_turn(found: Sequence[Decision], reason: str) -> FaultTurn:
    return FaultTurn(
        first_result_ms=None,
        first_audio_ms=None,
        asked=tuple(each.instance for each in found),
        asked_again_ms=None,
        answered_by="",
        same_words=False,
        lost=reason,
    )
