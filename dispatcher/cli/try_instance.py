"""`dispatcher try`: one real call to one instance, without queue, lease or running system, with times."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import click

from dispatcher.audio.wav import wav_bytes
from dispatcher.catalogue import Catalogue, Instance, load_catalogue
from dispatcher.catalogue.known_hosts import known_host
from dispatcher.catalogue.required_keys import what_is_missing
from dispatcher.catalogue.secrets import secret_problem
from dispatcher.cli.talk import read_recording
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
from dispatcher.messages import REPLY_RATE_HZ, SERVICES, Service
from dispatcher.ops.instance_probe import InstanceProbe, Question, run_trial
from dispatcher.providers.llm.untagged_thinking import OPENING_TAG
from dispatcher.supervisor.resolve_settings import resolve_settings

# Beside 0 (it answered), 1 (something here) and 2 (the YAML or the environment).
EXIT_CODES: Final[dict[type[InstanceError], int]] = {
    InstanceUnreachable: 3,
    InstanceBusy: 4,
    InstanceFailed: 5,
    InstanceForbidden: 6,
    InstanceRefused: 7,
    ContentRefused: 8,
    EmptyReply: 5,
}
_ADVICE: Final[dict[type[InstanceError], str]] = {
    InstanceUnreachable: "out of reach: is the address right, does it run, does a firewall stand between?",
    InstanceBusy: "busy: it works, but a quota or its calls at once are used up",
    InstanceFailed: "failed: it broke off, or answered something else than `provider` speaks",
    InstanceForbidden: "forbidden: look at its line: key, secret, app_id, model, voice, path",
    InstanceRefused: "refused: it does not take this request: look at its model, its extra_body",
    ContentRefused: "refused: its content filter does not let this text pass; other words may",
    EmptyReply: "empty: it ended its reply without a word; is `model` one that chats?",
}
_TEXTS: Final[Mapping[Service, str]] = {
    "asr": "",
    "llm": "What is two and two? Answer in one short sentence.",
    "tts": "Hello, it is noon. 你好，现在是中午十二点。",
}


_CONFIG_HELP: Final = "The YAML file; else DISPATCHER_CONFIG, else what runs here was started with."


@click.command("try")
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("instance")
@click.option("--config", type=click.Path(path_type=Path), help=_CONFIG_HELP)
@click.option("--text", help="What to ask an LLM, or have spoken.")
@click.option("--wav", default="hello.wav", show_default=True, help="What an ASR instance is to hear.")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Keep the speech as a WAV file."
)
def try_instance(
    service: Service, instance: str, *, config: Path | None, text: str | None, wav: str, save: Path | None
) -> None:
    """Make one real call to INSTANCE of SERVICE, and show what came back and when.

    Nothing has to run for it, and only the keys of this instance have to be set. The exit code is 0 when it
    answered, 3 out of reach, 4 busy, 5 failed, 6 forbidden, 7 refused, 8 refused by a content filter.
    """
    settings = resolve_settings(config)
    catalogue = load_catalogue(settings.dispatcher_config, EverythingIsSet())
    wanted = find(catalogue, service, instance)
    question = Question(
        text=_TEXTS[service] if text is None else text,
        wav=read_recording(wav) if service == "asr" else b"",
        system_prompt=catalogue.conversation.system_prompt,
    )
    click.echo(f"{wanted.name}: {wanted.provider} at {wanted.endpoint}")
    trial = asyncio.run(run_trial(wanted, question))
    for line in lines_of(trial):
        click.echo(f"  {line}")
    if save is not None and trial.speech:
        click.echo(f"  {'kept in':<13} {_keep(trial.speech, save)}")
    if trial.error is not None:
        click.secho(f"  {_ADVICE[type(trial.error)]}", fg="red", err=True)
        raise SystemExit(EXIT_CODES[type(trial.error)])


def find(catalogue: Catalogue, service: Service, name: str) -> Instance:
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


def lines_of(trial: InstanceProbe) -> Iterator[str]:
    """Yield what is to be told of a trial, a fact a line."""
    first = {"asr": "transcript", "llm": "first words", "tts": "first sound"}[trial.service]
    times = {"connected": trial.connected_s, first: trial.first_s, "whole": trial.total_s}
    for what, after_s in times.items():
        if after_s is not None:
            yield f"{what:<13} after {after_s * 1000:.0f} ms"
    if trial.audio_s and trial.total_s is not None:
        yield f"{'sound':<13} {trial.audio_s:.2f} s, real-time factor {trial.total_s / trial.audio_s:.2f}"
    for parameter, reason in trial.refused.items():
        told = reason if parameter == OPENING_TAG else f"which it refuses: {reason}"
        yield f"{'without':<13} {parameter}, {told}"
    if trial.text:
        yield f"{'said':<13} {trial.text}"
    yield f"{'health':<13} {trial.health}"
    if trial.error is not None:
        yield f"{'error':<13} {trial.error.reason}"


def _keep(speech: bytes, path: Path) -> Path:
    try:
        path.write_bytes(wav_bytes(speech, REPLY_RATE_HZ))
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {(error.strerror or str(error)).lower()}") from error
    return path


class EverythingIsSet(Mapping[str, str]):
    """An environment in which every variable has some value: other instances' keys do not matter here."""

    def __getitem__(self, name: str) -> str:
        """Return some value."""
        return "set"

    def __iter__(self) -> Iterator[str]:
        """Yield nothing: its variables are those that one asks for."""
        return iter(())

    def __len__(self) -> int:
        """Return 0, as above."""
        return 0
