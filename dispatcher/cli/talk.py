"""`dispatcher talk`: a stock device in the terminal, which speaks a turn and writes down the answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from dispatcher.device_simulator.microphone import find_microphone
from dispatcher.ops.talk.talk_turn import TalkPlan, device_options, hold_turn, read_recording
from dispatcher.ops.talk.talk_view import TalkView
from dispatcher.supervisor.resolve_settings import ota_url, resolve_settings

DEFAULT_RECORDING: Final = "hello.wav"


@click.command("talk")
@click.argument("recording_name", metavar="[RECORDING]", required=False)
@click.option("--text", help="Type this instead of speaking.")
@click.option("--mic", is_flag=True, help="Speak into this machine's microphone.")
@click.option(
    "--ota", default="", help="Where the device learns its address.  [default: the front that runs here]"
)
@click.option("--url", default="", help="WebSocket address; leaves OTA out.")
@click.option("--token", default="", help="Token to use with --url.")
@click.option("--device-id", default="02:00:00:00:00:01", show_default=True, help="MAC address.")
@click.option(
    "--mode", type=click.Choice(["manual", "auto", "realtime"]), default="manual", show_default=True
)
@click.option("--version", type=click.Choice(["1", "2", "3"]), help="Framing; OTA's, or 1, when left out.")
@click.option("--frame-ms", type=click.Choice(["20", "60"]), default="60", show_default=True)
@click.option(
    "--format", "audio_format", type=click.Choice(["opus", "pcm"]), default="opus", show_default=True
)
@click.option("--language", type=click.Choice(["en", "zh"]), help="Language that the device is set to.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), default="heard.wav", show_default=True
)
def talk(recording_name: str | None, text: str | None, *, mic: bool, **options: Any) -> None:
    """Say a sound file or a sentence to a running front, as a stock device would.

    RECORDING is a WAV file, or the name of one that ships (hello.wav, also when nothing is given).
    """
    if sum([recording_name is not None, text is not None, mic]) > 1:
        raise click.UsageError("give one of RECORDING, --text and --mic")
    name = recording_name or DEFAULT_RECORDING
    plan = TalkPlan(
        name=name,
        wav=b"" if text is not None or mic else read_recording(name),
        text=text,
        microphone=find_microphone() if mic else None,
        url=options["url"],
        token=options["token"],
        ota=options["ota"] or ota_url(resolve_settings()),
        output=options["out"],
    )
    asyncio.run(hold_turn(plan, device_options(options), TalkView(Console())))
