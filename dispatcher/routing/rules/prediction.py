"""Prediction of the first audio of a turn from the load of each service.

How a front uses it (dispatcher/front/connection/service_loads.py): `context.loads` has a reading of a quarter
of a second ago and counts what this front has sent since, so that asking costs no command.

    predicted_s = context.loads.predicted_s("asr")               # at the end of speech
    predicted_s = context.loads.predicted_s("llm", begun_s=0.4)  # 0.4 s after the transcript

Both are seconds from now. Once `begun_s` is more than the stage was expected to take, only what follows it is
left of the prediction, so compare `begun_s` with a bound of your own as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.messages import SERVICES, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLoad:
    """Load of one service at one moment.

    Attributes:
        slots: of the instances in service, as many as the service may use at once.
        in_flight: leases on them.
        waiting: calls in the waiting line of the leases that the first call of a turn comes behind.
        queued: tasks in the queue that no worker has taken.
        queued_s: how long the oldest of these has been there.
        hold_s: how long a call usually holds its slot; 0 before the first.
        first_s: how long a call usually takes to its first result; 0 before the first.
        workers: processes that read its queue: those that show life, or where they were just lost all others.
    """

    slots: int = 0
    in_flight: int = 0
    waiting: int = 0
    queued: int = 0
    queued_s: float = 0.0
    hold_s: float = 0.0
    first_s: float = 0.0
    workers: int = 0


IDLE: Final = ServiceLoad()


def wait_s(load: ServiceLoad, *, sent: int = 0) -> float:
    """Return how long a call that is made now waits for a slot.

    Slots become free one after the other, at even distances. Where a queue stands still for another reason,
    the age of its oldest task says more than that. A service without an instance in service has a fault, and
    not too much to do: nobody waits in line for it.

    Args:
        load: of the service.
        sent: calls that were sent since the load was read.
    """
    if load.slots <= 0:
        return 0.0
    behind = _behind(load, sent)
    in_line_s = (behind + 1) * load.hold_s / load.slots if behind >= 0 else 0.0
    return max(in_line_s, load.queued_s)


def _behind(load: ServiceLoad, sent: int) -> int:
    """Return how many calls are in front of one that is made now; below 0 where slots are free for more."""
    return load.waiting + load.queued + sent - max(0, load.slots - load.in_flight)


def line_s(
    loads: Mapping[Service, ServiceLoad], *, stage: Service = "asr", sent: Mapping[Service, int] | None = None
) -> float:
    """Return how long the lines are that a turn has before it, from a stage on; 0 where there is none.

    Unlike `wait_s` it is no time to the first audio: a service whose slots are all in use and that nobody
    waits for has no line. One without a worker has a fault, and not too much to do.

    Args:
        loads: of the services.
        stage: that the turn comes to; those before it are over.
        sent: calls that were sent to each service since the loads were read.
    """
    counts, total_s = sent or {}, 0.0
    for service in SERVICES[SERVICES.index(stage) :]:
        load = loads.get(service, IDLE)
        if load.slots > 0 and load.workers > 0:
            behind = max(0, _behind(load, counts.get(service, 0)))
            total_s += max(behind * load.hold_s / load.slots, load.queued_s)
    return total_s


def first_audio_s(
    loads: Mapping[Service, ServiceLoad],
    *,
    stage: Service = "asr",
    begun_s: float = 0.0,
    sent: Mapping[Service, int] | None = None,
) -> float:
    """Return in how many seconds the first audio of a turn is to be expected; 0 where nothing is known.

    Args:
        loads: of the services.
        stage: that the turn waits for; those before it are over.
        begun_s: for how long it has waited for that stage.
        sent: calls that were sent to each service since the loads were read.
    """
    counts = sent or {}
    current_s, *following_s = (
        wait_s(loads.get(service, IDLE), sent=counts.get(service, 0)) + loads.get(service, IDLE).first_s
        for service in SERVICES[SERVICES.index(stage) :]
    )
    return max(0.0, current_s - begun_s) + sum(following_s)
