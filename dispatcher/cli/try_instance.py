"""`dispatcher try`: one real call to one instance, without queue, lease or running system, with times."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from dispatcher.catalogue import load_catalogue
from dispatcher.catalogue.secrets import EveryVariable
from dispatcher.cli.command_options import config_option
from dispatcher.messages import SERVICES, Service
from dispatcher.ops.instance_probe import Question, probe_instance
from dispatcher.ops.probe_report import FAILURES, find_instance, keep_speech, report_lines
from dispatcher.ops.talk.talk_turn import read_recording
from dispatcher.supervisor.resolve_settings import resolve_settings

_TEXTS: Final[Mapping[Service, str]] = {
    "asr": "",
    "llm": "What is two and two? Answer in one short sentence.",
    "tts": "Hello, it is noon. 你好，现在是中午十二点。",
}


@click.command("try")
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("instance")
@config_option
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
    catalogue = load_catalogue(settings.dispatcher_config, EveryVariable())
    wanted = find_instance(catalogue, service, instance)
    question = Question(
        text=_TEXTS[service] if text is None else text,
        wav=read_recording(wav) if service == "asr" else b"",
        system_prompt=catalogue.conversation.system_prompt,
    )
    click.echo(f"{wanted.name}: {wanted.provider} at {wanted.endpoint}")
    probe = asyncio.run(probe_instance(wanted, question))
    for line in report_lines(probe):
        click.echo(f"  {line}")
    if save is not None and probe.speech:
        click.echo(f"  {'kept in':<13} {keep_speech(probe.speech, save)}")
    if probe.error is not None:
        exit_code, advice = FAILURES[type(probe.error)]
        click.secho(f"  {advice}", fg="red", err=True)
        raise SystemExit(exit_code)
