"""Samples of every instance, of the host and of our processes on it, kept for curves and for the tuner."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dispatcher.host_metrics.disk import DiskSample, sample_disk
from dispatcher.host_metrics.host import HostMeter, HostSample, HostScope
from dispatcher.host_metrics.process import ProcessMeter, ProcessSample
from dispatcher.redis_client.client import RedisClient
from dispatcher.routing.overview import Overview, read_overview
from dispatcher.telemetry import metric_samples

HOST: Final = socket.gethostname()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSample:
    """All that was measured at one moment, in Unix time."""

    at_s: float
    overview: Overview
    host: HostSample
    processes: tuple[ProcessSample, ...]
    disk: DiskSample | None = None


class MetricsSampler:
    """The meters of one control worker; each sample is about the time since the one before."""

    def __init__(self, redis: RedisClient, data_dir: Path, scope: HostScope) -> None:
        """Measure nothing yet."""
        self._redis = redis
        self._data_dir = data_dir
        self._host = HostMeter(scope)
        self._processes = ProcessMeter()

    async def sample(self) -> MetricsSample:
        """Measure, keep the sample and return it.

        Raises:
            StateError: Redis is out of reach.
        """
        # The kernel answers file by file, which takes some ms.
        host, processes, overview = await asyncio.gather(
            asyncio.to_thread(self._host.sample),
            asyncio.to_thread(self._processes.sample),
            read_overview(self._redis),
        )
        at_s = time.time()
        metric_samples.add_instances(self._redis, overview, at_s=at_s)
        metric_samples.add_host(self._redis, HOST, host, at_s=at_s)
        disk = sample_disk(self._data_dir)
        return MetricsSample(at_s=at_s, overview=overview, host=host, processes=processes, disk=disk)
