"""Judge of pauses for all devices of a front: one thread, which judges one pause after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import structlog

from dispatcher.dialogue.endpointing import has_room
from dispatcher.errors import AudioError
from dispatcher.host_metrics.host import HostMeter

log = structlog.get_logger(__name__)

# Each judgement but the first is expected to take as long as the one before.
_EXPECTED_S: Final = 0.06
# A front may start before the network, and the model come from there.
MODEL_RETRY_AFTER_S: Final = 300.0


class SentenceModel(Protocol):
    """Model of finished sentences."""

    def finished(self, pcm: bytes, rate_hz: int) -> float:
        """Return how likely the sentence is finished, 0..1; the PCM is s16le."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A pause to judge.

    Attributes:
        pcm: the utterance so far, s16le, with the beginning of the pause.
        silence_s: silence after which the utterance ends without a judgement, from now.
        goes_on: whether nobody has spoken since; asked in the thread.
        on_judged: called in the loop with how likely the sentence is finished.
    """

    pcm: bytes
    rate_hz: int
    silence_s: float
    goes_on: Callable[[], bool]
    on_judged: Callable[[float], None]


class PauseJudge:
    """Judge of one front; it takes a pause where its judgement would come in time, on a CPU with room.

    Attributes:
        waiting: pauses that are to be judged, or are at this moment.
    """

    def __init__(
        self,
        read_model: Callable[[], SentenceModel],
        meter: HostMeter,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load nothing before the first device needs it."""
        self._now = now
        self._failed_at_s: float | None = None
        self._read_model = read_model
        self._meter = meter
        self._model: SentenceModel | None = None
        self._loading: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pauses")
        self.waiting = 0
        self._took_s = _EXPECTED_S

    @classmethod
    def of(cls, named: Path | None, *, data_dir: Path, meter: HostMeter) -> PauseJudge:
        """Return the judge with the model of Smart Turn."""
        return cls(partial(_read_smart_turn, named, data_dir), meter)

    @property
    def is_loaded(self) -> bool:
        """Whether pauses can be judged."""
        return self._model is not None

    def load(self) -> None:
        """Load the model once, aside from the loop.

        Where there is none it is logged, and no pause judged; a device that comes minutes later tries again.
        """
        failed_at_s = self._failed_at_s
        if failed_at_s is not None and self._now() - failed_at_s >= MODEL_RETRY_AFTER_S:
            self._loading = self._failed_at_s = None
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())

    def judge(self, pause: Pause) -> None:
        """Judge a pause unless its turn would come too late, or it is over by then."""
        wait_s = self.waiting * self._took_s
        if self._model is None or not has_room(cpu_ratio=None, wait_s=wait_s, silence_s=pause.silence_s):
            return
        self.waiting += 1
        judged = asyncio.get_running_loop().run_in_executor(self._thread, self._judge, self._model, pause)
        judged.add_done_callback(partial(self._report, pause))

    def close(self) -> None:
        """End the thread after the judgement under way."""
        if self._loading is not None:
            self._loading.cancel()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _load(self) -> None:
        try:
            self._model = await asyncio.get_running_loop().run_in_executor(self._thread, self._read_model)
        except AudioError as error:
            self._failed_at_s = self._now()
            log.warning("pauses are not judged, endpointing goes by silence", reason=str(error))
        else:
            log.info("pauses are judged")

    def _judge(self, model: SentenceModel, pause: Pause) -> float | None:
        cpu_ratio = self._meter.sample().cpu_ratio
        if not (pause.goes_on() and has_room(cpu_ratio=cpu_ratio, wait_s=0, silence_s=pause.silence_s)):
            return None
        begun_s = time.monotonic()
        found = model.finished(pause.pcm, pause.rate_hz)
        self._took_s = time.monotonic() - begun_s
        return found

    def _report(self, pause: Pause, judged: asyncio.Future[float | None]) -> None:
        self.waiting -= 1
        if not judged.cancelled() and (found := judged.result()) is not None:
            pause.on_judged(found)


def _read_smart_turn(named: Path | None, data_dir: Path) -> SentenceModel:
    # 40 MB for a front whose devices all have a button would be a waste.
    from dispatcher.audio.smart_turn import SmartTurn, find_model  # noqa: PLC0415

    model = SmartTurn(find_model(named, data_dir=data_dir))
    model.finished(b"", 16_000)  # the first call is the slowest
    return model
