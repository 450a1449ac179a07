"""Every Redis key is made here: name, kind, who writes, who reads, time to live.

| key | kind | writer | reader | time to live |
| --- | --- | --- | --- | --- |
| asr, llm, tts, control | list | all | workers | none: tasks expire, fronts check the length |
| key-format | string | fronts, workers | fronts, workers | none: the number of this table's form |
| catalogue | hash | publish script | publish script | none: one |
| fleet:{service} | hash | publish script | pick script | none: one per service |
| leaving:{service} | set | publish script | pick, sweep script | none: a name goes with its last lease |
| instance:{service}:{name} | hash | publish, finish, checks, operator | pick script | none: removed with it |
| refused:{name} | hash | workers | workers, status | 24 h; parameters that an instance refuses, few |
| leases:{service}:{name} | sorted set | pick script | pick script | each lease 5 s, the set 60 s |
| waiting:{service} | sorted set | pick script | pick, finish | 60 s; calls in the order in which they came |
| seen:{service} | sorted set | pick script | pick script | 60 s; when each of them last looked |
| excluded:{service} | hash | pick script | pick, finish | 60 s; the instances that failed one of them |
| rounds:{service} | hash | pick script | pick script | 60 s; shares of those that wait, while any do |
| affinity:{service}:{dialogue} | string | pick script | pick script | 10 min; who served a dialogue last |
| spare:{service} | hash | workers | yield script | 60 s; calls on spare slots, which real calls may take |
| usage | hash | finish script | drain of records | none: taken every few seconds; 20 000 counters at most |
| budget:{name}:{unit}:{per} | hash | pick, finish | pick, status | 62 days, refreshed; one per budget |
| decisions | stream | pick, finish | `dispatcher why`, console | none: MAXLEN 5 000 |
| sent:{task} | string | front, llm worker | push script | 15 s; the task is in its queue, or was |
| claim:{turn} | string | front | asr worker | 90 s; at CACHE_URL |
| utterance:{turn} | stream | front | asr worker | 90 s, refreshed; MAXLEN 5 000; at CACHE_URL |
| cancelled:{turn} | string | front | pick script | 90 s |
| committed:{turn} | string | front | workers, yield script | 90 s; of a speculative turn |
| speculation | hash | fronts | status, console | none: one, counts |
| replies:{front} | stream | workers | its front | 60 s, refreshed; MAXLEN |
| tools:{digest} | string | front | llm worker | 1 h, refreshed by turns; one per list of tools |
| answer:{call} | string | front | llm worker | 30 s |
| acting:{turn} | string | llm worker | llm worker | 90 s; which sending of a turn may call tools |
| history:{device} | list | front | llm worker | 24 h, 80 messages |
| device:{device} | hash | fronts, operator | fronts, control worker | 2 days of a stranger; none: 10 000 |
| devices | sorted set | fronts, operator | operator | none: 10 000 known devices at most |
| strangers | sorted set | OTA | OTA | none: the last 1 000 that never connected |
| activation:{code} | string | OTA | `dispatcher devices activate` | 2 days, one per stranger |
| phrase:{digest} | hash | tts workers | fronts, llm and tts workers | 24 h at most, refreshed; at CACHE_URL |
| phrases:{part} | by part | scripts of phrases | the same, status, console | bounded in them; at CACHE_URL |
| devices-changed | set | fronts, `dispatcher devices` | control worker | none: one per known device |
| devices-restored | string | control worker | control worker | none: one |
| memory:{device} | hash | fronts, control worker | llm worker | 90 days, refreshed |
| memory-due | sorted set | fronts | control worker | none: one per known device |
| errand:{command} | list | fronts | `dispatcher devices` | 10 s |
| records | stream | fronts, control worker | drain of records, console | none: MAXLEN 50 000 |
| records-drained, records-drainer | hash, string | drain of records | the same, operator | none: one; 15 s |
| records-unknown | stream | drain of records | drain of a newer version | none: MAXLEN 10 000 |
| served:{queue} | string | workers | fronts' readiness | 30 s, refreshed |
| worker:{queue}:{host}:{pid} | string | workers | supervisor, bench, check | 30 s, refreshed |
| workers | sorted set | workers, fronts | fronts, supervisor | none: one per worker, the lost for 60 s more |
| taken:{worker} | list | its worker | fronts | none: the messages that it works on; goes with it |
| dropped-messages | hash | workers | status | 1 day, refreshed; one field per queue |
| tick:{task} | string | control worker | control worker | 0.9 of the task's period, held while it runs |
| canary:{queue} | hash | any worker | control worker, status | none: one per queue |
| front-token-key | string | fronts | fronts | none: one, the key of all tokens |
| front:{front} | hash | its front | control worker, `dispatcher devices` | 15 s, refreshed |
| fronts | sorted set | fronts | control worker | none: one per front, the silent are dropped |
| turns | list | fronts | control worker | none: the last 1 000 turns |
| samples:{service}:{name} | list | control worker | operations page | 1 h, refreshed; 100 samples |
| box:{host} | list | control worker | operations page | 1 h, refreshed; 100 samples |
| alerts, shares | hash | control worker | control worker, status | none: a field per figure, per service |
| kpis, recorded | hash, string | control worker | status, page, control worker | 60 s, refreshed; 58 s |
| scratch:{run}:… | as the copied key | replay | replay | 60 s, refreshed; deleted at its end |
| knobs | hash | tuner, operator, supervisor | fronts, control worker, supervisor | none: few fields |
| tuner-state, tuner | string, stream | tuner | tuner, `dispatcher tuner` | none: one, bounded; MAXLEN 1 000 |
| tuner-requests, tuning | list, string | `dispatcher tuner undo`, tuner | tuner | 60 s; the last 20 |
| supervisor:{host} | string | `dispatcher up` | tuner | 15 s, refreshed |
| operator-actions | list | console | console | none: the last 200 |
| verifying | string | `dispatcher verify` | `dispatcher verify` | 15 s, refreshed |
| verify:{host} | string | `dispatcher up` with ALLOW_VERIFY | `dispatcher verify` | 15 s, refreshed |
"""

from __future__ import annotations

import socket
from typing import Final, Literal

from dispatcher.messages import Service

CANCEL_CHANNEL: Final = "cancel"
FREED_CHANNEL: Final = "freed"
RELOADED_CHANNEL: Final = "reloaded"
ANSWERED_CHANNEL: Final = "answered"
COMMANDS_CHANNEL: Final = "errands"
KEY_FORMAT: Final = "key-format"
DEVICES: Final = "devices"
STRANGERS: Final = "strangers"
DEVICES_CHANGED: Final = "devices-changed"
DEVICES_RESTORED: Final = "devices-restored"
MEMORY_DUE: Final = "memory-due"
CATALOGUE: Final = "catalogue"
DECISIONS: Final = "decisions"
USAGE: Final = "usage"
BUDGET_PREFIX: Final = "budget:"
FRONTS: Final = "fronts"
FRONT_TOKEN_KEY: Final = "front-token-key"  # noqa: S105  its name
TURNS: Final = "turns"
SHARES: Final = "shares"
ALERTS: Final = "alerts"
KPIS: Final = "kpis"
RECORDED: Final = "recorded"
OPERATOR_ACTIONS: Final = "operator-actions"
RECORDS: Final = "records"
RECORDS_DRAINED: Final = "records-drained"
RECORDS_DRAINER: Final = "records-drainer"
RECORDS_UNKNOWN: Final = "records-unknown"
OVERRIDES: Final = "knobs"
SPECULATION: Final = "speculation"
WORKERS: Final = "workers"
DROPPED_MESSAGES: Final = "dropped-messages"
TUNER_STATE: Final = "tuner-state"
TUNER: Final = "tuner"
TUNER_REQUESTS: Final = "tuner-requests"
TUNING: Final = "tuning"
VERIFYING: Final = "verifying"
SIGN_OF_LIFE_TTL_S: Final = 15
TURN_TTL_S: Final = 90
MEMORY_TTL_S: Final = 90 * 24 * 3600
LEASE_TTL_MS: Final = 5_000


def fleet(service: Service) -> str:
    """Name the hash with a service's algorithm and the names of its instances, in order."""
    return f"fleet:{service}"


def leaving(service: Service) -> str:
    """Name the instances that left the catalogue while calls to them were under way."""
    return f"leaving:{service}"


def instance(service: Service, name: str) -> str:
    """Name the hash with what is configured and known of one instance."""
    return f"instance:{service}:{name}"


def refused(name: str) -> str:
    """Name the optional parameters that an instance refuses, each with reason and end."""
    return f"refused:{name}"


def leases(service: Service, name: str) -> str:
    """Name the sorted set of an instance's leases, scored by their expiry in ms."""
    return f"leases:{service}:{name}"


def waiting(service: Service) -> str:
    """Name the calls that wait for a free slot, scored by when they came."""
    return f"waiting:{service}"


def line(part: Literal["seen", "excluded", "rounds"], service: Service) -> str:
    """Name what is known of waiting calls: when each last looked, what failed it, the rounds of shares."""
    return f"{part}:{service}"


def spare(service: Service) -> str:
    """Name the calls on spare slots: lease id to instance, when it began, and its turn."""
    return f"spare:{service}"


def affinity(service: Service, dialogue: str) -> str:
    """Name the instance that served a dialogue last, and when."""
    return f"affinity:{service}:{dialogue}"


def sent(task_id: str) -> str:
    """Name the mark that the message of a task was sent, so that it is not sent twice."""
    return f"sent:{task_id}"


def claim(turn_id: str) -> str:
    """Name the utterance's audio of a turn."""
    return f"claim:{turn_id}"


def utterance(turn_id: str) -> str:
    """Name the audio of a turn that comes while it is spoken."""
    return f"utterance:{turn_id}"


def cancelled(turn_id: str) -> str:
    """Name the flag that a barge-in leaves for stages that are still queued."""
    return f"cancelled:{turn_id}"


def committed(turn_id: str) -> str:
    """Name the flag of a speculative turn whose utterance is over: it is a turn like any other now."""
    return f"committed:{turn_id}"


def reply_stream(front_id: str) -> str:
    """Name the stream on which workers answer one front."""
    return f"replies:{front_id}"


def tools(digest: str) -> str:
    """Name a list of tools; devices that can do the same share it."""
    return f"tools:{digest}"


def answer(call_id: str) -> str:
    """Name what became of one call of a tool."""
    return f"answer:{call_id}"


def acting(turn_id: str) -> str:
    """Name which sending of a turn may call tools; the others may not."""
    return f"acting:{turn_id}"


def history(device_id: str) -> str:
    """Name the dialogue of one device, oldest message first."""
    return f"history:{device_id}"


def device(device_id: str) -> str:
    """Name what is known of one device."""
    return f"device:{device_id}"


def activation(code: str) -> str:
    """Name the device that shows an activation code."""
    return f"activation:{code}"


def memory(device_id: str) -> str:
    """Name what is remembered of a device's users, and how many exchanges are not in it yet."""
    return f"memory:{device_id}"


def phrase(digest: str) -> str:
    """Name the sound of a phrase, with what it took to make."""
    return f"phrase:{digest}"


def phrases(part: str) -> str:
    """Name what is known of all phrases: use, sizes, said, figures; who makes one, `making:{digest}`."""
    return f"phrases:{part}"


def command_answers(command_id: str) -> str:
    """Name the answers of the fronts to one device command of an operator."""
    return f"errand:{command_id}"


def worker_ready(queue: str, pid: int | str, host: str = "") -> str:
    """Name the sign of life of one worker process of a queue, on this host or another; * matches any."""
    return f"worker:{queue}:{host or socket.gethostname()}:{pid}"


def taken(worker_id: str) -> str:
    """Name the messages that a worker process works on."""
    return f"taken:{worker_id}"


def front(front_id: str) -> str:
    """Name what one front says of its devices and turns."""
    return f"front:{front_id}"


def scratch(run_id: str) -> str:
    """Name how every key of a replay begins; the key that it stands for comes after it."""
    return f"scratch:{run_id}:"


def samples(service: Service, name: str) -> str:
    """Name the last samples of one instance, newest first."""
    return f"samples:{service}:{name}"


def host_samples(host: str) -> str:
    """Name the last samples of one machine or container, newest first."""
    return f"box:{host}"


def supervisor(host: str) -> str:
    """Name the sign of life of a `dispatcher up` that starts workers again, and more of them when asked."""
    return f"supervisor:{host}"


def verify_mark(host: str) -> str:
    """Name what a `dispatcher up` that may be hurt on purpose says of its processes."""
    return f"verify:{host}"


def tick(task: str) -> str:
    """Name the tick of a control task that was taken last."""
    return f"tick:{task}"


def canary(queue: str) -> str:
    """Name when a queue was last consumed, and how long its canary had waited."""
    return f"canary:{queue}"


def served(queue: str) -> str:
    """Name the sign of life of whichever workers consume a queue."""
    return f"served:{queue}"
