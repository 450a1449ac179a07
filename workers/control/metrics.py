"""Samples of every instance, of the box and of our processes on it, kept for curves and for the tuner."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from functools import cache
from typing import Final

import structlog

from dispatcher.errors import StateError
from dispatcher.host_metrics.disk import DiskSample, sample_disk
from dispatcher.host_metrics.host import HostMeter, HostSample
from dispatcher.host_metrics.process import ProcessMeter, ProcessSample
from dispatcher.messages import SAMPLE_METRICS
from dispatcher.pipeline.worker_context import WorkerContext, process_context
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.settings import load_settings
from dispatcher.telemetry import metric_samples
from workers.celery import app

log = structlog.get_logger(__name__)

SAMPLE_TIMEOUT_S: Final = 5.0
HOST: Final = socket.gethostname()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """All that was measured at one moment, in Unix time."""

    at_s: float
    overview: Overview
    box: HostSample
    processes: tuple[ProcessSample, ...]
    disk: DiskSample | None = None


class Meters:
    """The meters of one control worker; what they say is about the time since they were last read."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._box = HostMeter(load_settings().box_scope)
        self._processes = ProcessMeter()

    def read(self) -> tuple[HostSample, tuple[ProcessSample, ...]]:
        """Return the box and our processes; takes some ms, as the kernel answers file by file."""
        return self._box.sample(), self._processes.sample()


@cache
def _meters() -> Meters:
    return Meters()


@app.task(name=SAMPLE_METRICS)
def sample_metrics() -> None:
    """Take a sample beside those that come with each look at the figures."""
    shared = process_context()
    try:
        shared.run(take_sample(shared), timeout_s=SAMPLE_TIMEOUT_S)
    except (StateError, TimeoutError) as error:
        log.warning("no sample taken", reason=str(error))


async def take_sample(shared: WorkerContext) -> Sampled:
    """Measure, keep the sample and return it.

    Raises:
        StateError: Redis is out of reach.
    """
    (box, processes), overview = await asyncio.gather(
        asyncio.to_thread(_meters().read), read_overview(shared.redis)
    )
    at_s = time.time()
    metric_samples.add_instances(shared.redis, overview, at_s=at_s)
    metric_samples.add_box(shared.redis, HOST, box, at_s=at_s)
    disk = sample_disk(shared.settings.data_dir)
    return Sampled(at_s=at_s, overview=overview, box=box, processes=processes, disk=disk)
