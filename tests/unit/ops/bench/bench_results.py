"""Results of a bench as tests want them."""

from __future__ import annotations

from dispatcher.ops.bench.bounds import Run
from dispatcher.ops.bench.process_usage import Reading, Usage
from dispatcher.ops.bench.samples import Samples, TurnSample

ROLES = {"front": "front", "asr": "worker", "beat": "beat", "broker": "broker", "timed-asr-1": "instance"}


def turn(first_audio_ms: float, *, gaps: int = 0) -> TurnSample:
    """Return a turn whose other times follow from the first audio."""
    return TurnSample(
        transcript_ms=first_audio_ms / 4,
        first_audio_ms=first_audio_ms,
        end_ms=first_audio_ms + 6000,
        gaps=gaps,
    )


def samples(*first_audio_ms: float, lost: tuple[str, ...] = (), gaps: int = 0) -> Samples:
    """Return a turn for each time; `gaps` of them have a gap."""
    turns = tuple(turn(at_ms, gaps=int(index < gaps)) for index, at_ms in enumerate(first_audio_ms))
    return Samples(turns=turns, lost=lost, all_turns=len(turns) + len(lost), cpu_s=0.5)


def run(devices: int, heard: Samples, *, cpu_s: float = 0.01, pss_mb: float | None = 50.0) -> Run:
    """Return a run in which every process cost the same."""
    usages = dict.fromkeys(ROLES, Usage(cpu_s=cpu_s, pss_mb=pss_mb))
    reading = Reading(wall_s=10.0, machine_cpu_s=len(ROLES) * cpu_s + heard.cpu_s + 2.0, usages=usages)
    return Run(devices=devices, samples=heard, reading=reading, roles=ROLES)
