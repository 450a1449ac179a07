"""Every Redis key is made here: name, kind, who writes, who reads, time to live.

| key | kind | writer | reader | time to live |
| --- | --- | --- | --- | --- |
| asr, llm, tts, control | list | all | workers | none: tasks expire, fronts check the length |
| catalogue | hash | publish script | publish script | none: one |
| fleet:{service} | hash | publish script | pick script | none: one per service |
| leaving:{service} | set | publish script | sweep script | none: a name goes with its last lease |
| instance:{service}:{name} | hash | publish, finish, checks, operator | pick script | none: removed with it |
| leases:{service}:{name} | sorted set | pick script | pick script | each lease 5 s, the set 60 s |
| waiting:{service} | sorted set | pick script | pick, finish | 60 s; calls in the order in which they came |
| seen:{service} | sorted set | pick script | pick script | 60 s; when each of them last looked |
| decisions | stream | pick, finish | `dispatcher why` | none: MAXLEN 5 000 |
| claim:{turn} | string | front | asr worker | 90 s |
| cancelled:{turn} | string | front | pick script | 90 s |
| replies:{front} | stream | workers | its front | 60 s, refreshed; MAXLEN |
| history:{device} | list | front | llm worker | 24 h, 40 messages |
| device:{device} | hash | OTA | front | 90 days |
| served:{queue} | string | workers | fronts' readiness | 30 s, refreshed |
| worker:{queue}:{pid} | string | workers | supervisor, bench | 30 s, refreshed |
"""

from __future__ import annotations

from typing import Final

from dispatcher.contracts import Service

CANCEL_CHANNEL: Final = "cancel"
FREED_CHANNEL: Final = "freed"
RELOADED_CHANNEL: Final = "reloaded"
CATALOGUE: Final = "catalogue"
DECISIONS: Final = "decisions"
CLAIM_TTL_S: Final = 90
CANCELLED_TTL_S: Final = 90
REPLIES_TTL_S: Final = 60
REPLIES_MAXLEN: Final = 20_000
HISTORY_TTL_S: Final = 24 * 3600
HISTORY_MESSAGES: Final = 40
DEVICE_TTL_S: Final = 90 * 24 * 3600
WORKER_READY_TTL_S: Final = 30
LEASE_TTL_MS: Final = 5_000
REASON_CHARACTERS: Final = 200


def fleet(service: Service) -> str:
    """Name the hash with a service's algorithm and the names of its instances, in order."""
    return f"fleet:{service}"


def leaving(service: Service) -> str:
    """Name the instances that left the catalogue while calls to them were under way."""
    return f"leaving:{service}"


def instance(service: Service, name: str) -> str:
    """Name the hash with what is configured and known of one instance."""
    return f"instance:{service}:{name}"


def leases(service: Service, name: str) -> str:
    """Name the sorted set of an instance's leases, scored by their expiry in ms."""
    return f"leases:{service}:{name}"


def waiting(service: Service) -> str:
    """Name the calls that wait for a free slot, scored by when they came."""
    return f"waiting:{service}"


def seen(service: Service) -> str:
    """Name when each waiting call last looked, so that those of a dead process fall away."""
    return f"seen:{service}"


def claim(turn_id: str) -> str:
    """Name the utterance's audio of a turn."""
    return f"claim:{turn_id}"


def cancelled(turn_id: str) -> str:
    """Name the flag that a barge-in leaves for stages that are still queued."""
    return f"cancelled:{turn_id}"


def reply_stream(front_id: str) -> str:
    """Name the stream on which workers answer one front."""
    return f"replies:{front_id}"


def history(device_id: str) -> str:
    """Name the dialogue of one device, oldest message first."""
    return f"history:{device_id}"


def device(device_id: str) -> str:
    """Name what is known of one device."""
    return f"device:{device_id}"


def worker_ready(queue: str, pid: int) -> str:
    """Name the sign of life of one worker process that consumes a queue."""
    return f"worker:{queue}:{pid}"


def served(queue: str) -> str:
    """Name the sign of life of whichever workers consume a queue."""
    return f"served:{queue}"
