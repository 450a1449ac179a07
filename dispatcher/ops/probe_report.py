"""Report of `dispatcher try`: the instance that is meant, the facts of its probe, and advice on a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue import Catalogue, Instance
from dispatcher.catalogue.known_hosts import known_host
from dispatcher.catalogue.required_keys import what_is_missing
from dispatcher.catalogue.secrets import secret_problem
from dispatcher.errors import (
    AudioError,
    ConfigError,
    ContentRefused,
    EmptyReply,
    InstanceBusy,
    InstanceError,
    InstanceFailed,
    InstanceForbidden,
    InstanceRefused,
    InstanceUnreachable,
    UnknownName,
)
from dispatcher.messages import REPLY_RATE_HZ, Service
from dispatcher.ops.instance_probe import InstanceProbe
from dispatcher.providers.llm.untagged_thinking import OPENING_TAG

# Exit code and advice, beside 0 (it answered), 1 (something here) and 2 (the YAML or the environment).
FAILURES: Final[dict[type[InstanceError], tuple[int, str]]] = {
    InstanceUnreachable: (
        3,
        "out of reach: is the address right, does it run, does a firewall stand between?",
    ),
    InstanceBusy: (4, "busy: it works, but a quota or its calls at once are used up"),
    InstanceFailed: (5, "failed: it broke off, or answered something else than `provider` speaks"),
    InstanceForbidden: (6, "forbidden: look at its line: key, secret, app_id, model, voice, path"),
    InstanceRefused: (7, "refused: it does not take this request: look at its model, its extra_body"),
    ContentRefused: (8, "refused: its content filter does not let this text pass; other words may"),
    EmptyReply: (5, "empty: it ended its reply without a word; is `model` one that chats?"),
}


def find_instance(catalogue: Catalogue, service: Service, name: str) -> Instance:
    """Return the instance.

    Raises:
        UnknownName: the service has none of that name; the text lists those it has.
        ConfigError: a variable that the instance names is not set or cannot be sent, or its line lacks a key.
    """
    instances = {each.name: each for each in catalogue.services[service].instances}
    if name not in instances:
        raise UnknownName(
            f"no {service} instance {name!r} in {catalogue.path}; there are {', '.join(instances)} "
            "(--config names another file)"
        )
    found = instances[name]
    named = {"api_key_env": found.api_key_env, "api_secret_env": found.api_secret_env}
    held = {variable: os.environ.get(variable, "") for variable in named.values() if variable}
    wrong = {
        variable: secret_problem(value) if value else "which is not set" for variable, value in held.items()
    }
    unusable = [
        f"{catalogue.path}: {name}.{key}: was {variable!r}, {wrong[variable]}; "
        "expected a variable that holds the key"
        for key, variable in named.items()
        if variable and wrong[variable]
    ]
    if known_host(found.endpoint) and (missing := what_is_missing(found)):
        unusable = [f"{catalogue.path}: {name}: not configured: {missing}"]
    if unusable:
        raise ConfigError(unusable)
    return found


def report_lines(probe: InstanceProbe) -> Iterator[str]:
    """Yield the facts of a probe, one a line."""
    first = {"asr": "transcript", "llm": "first words", "tts": "first sound"}[probe.service]
    times = {"connected": probe.connected_s, first: probe.first_s, "whole": probe.total_s}
    for what, after_s in times.items():
        if after_s is not None:
            yield f"{what:<13} after {after_s * 1000:.0f} ms"
    if probe.audio_s and probe.total_s is not None:
        yield f"{'sound':<13} {probe.audio_s:.2f} s, real-time factor {probe.total_s / probe.audio_s:.2f}"
    for parameter, reason in probe.refused.items():
        told = reason if parameter == OPENING_TAG else f"which it refuses: {reason}"
        yield f"{'without':<13} {parameter}, {told}"
    if probe.text:
        yield f"{'said':<13} {probe.text}"
    yield f"{'health':<13} {probe.health}"
    if probe.error is not None:
        yield f"{'error':<13} {probe.error.reason}"


def keep_speech(speech: bytes, path: Path) -> Path:
    """Write the speech of a probe to a WAV file and return its path.

    Raises:
        AudioError: it cannot be written.
    """
    try:
        path.write_bytes(wav_bytes(speech, REPLY_RATE_HZ))
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    return path
