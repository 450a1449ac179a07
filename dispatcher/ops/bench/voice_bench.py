"""Bench of the bundled voices: the error rate of the bundled ASR on each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
from rich import box
from rich.console import Console
from rich.table import Table

from dispatcher.audio.wav import wav_bytes
from dispatcher.bundled.engines import SPEECH_RATE_HZ, AsrEngine, SpokenLanguage, TtsEngine
from dispatcher.bundled.voices.engine import VoicesOptions, load
from dispatcher.bundled.whisper import engine as whisper
from dispatcher.logs import configure_logging
from dispatcher.ops.bench.bench_tables import bench_table, json_option
from dispatcher.ops.bench.everyday_sentences import SENTENCES
from dispatcher.ops.bench.transcript_errors import ComparedSentence, error_ratio
from dispatcher.settings import load_settings
from dispatcher.terminal.console import make_console
from dispatcher.terminal.figures import write_results

# The bound of each language: characters of Mandarin, words of English.
MAX_ERROR_RATIO: Final[dict[SpokenLanguage, float]] = {"zh": 0.12, "en": 0.05}
_UNITS: Final[dict[SpokenLanguage, str]] = {"zh": "characters", "en": "words"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchedVoice:
    """A voice and the language it is measured in."""

    name: str
    language: SpokenLanguage
    options: VoicesOptions


VOICES: Final = (
    BenchedVoice(name="hibari", language="en", options=VoicesOptions(chinese=False)),
    BenchedVoice(name="baker", language="zh", options=VoicesOptions(voice="baker")),
    BenchedVoice(name="espeak", language="zh", options=VoicesOptions(voice="espeak")),
)


@click.command("voices", short_help="Measure how well whisper understands each voice.")
@click.option(
    "--voice",
    "names",
    multiple=True,
    type=click.Choice([each.name for each in VOICES]),
    help="Only this one.",
)
@click.option(
    "--sentences",
    "count",
    type=click.IntRange(1, len(SENTENCES["en"])),
    default=len(SENTENCES["en"]),
    show_default=True,
    help="How many of the everyday sentences, from the first.",
)
@json_option
def voices(names: tuple[str, ...], count: int, json_file: Path | None) -> None:
    """Print the error rate of each voice, sentence by sentence, as the built-in whisper transcribes it.

    Every sentence is transcribed with its language given and without a prompt. Exit code 1: over the bound.
    """
    configure_logging(load_settings())
    chosen = [each for each in VOICES if not names or each.name in names]
    found = asyncio.run(_measure_voices(chosen, count))
    write_results(json_file, {"": voice_table(found)})
    passed = all(error_ratio(said) <= MAX_ERROR_RATIO[each.language] for each, said in found.items())
    raise SystemExit(0 if passed else 1)


async def _measure_voices(
    chosen: Sequence[BenchedVoice], count: int
) -> dict[BenchedVoice, list[ComparedSentence]]:
    console = make_console()
    asr = whisper.load(whisper.WhisperOptions())
    found: dict[BenchedVoice, list[ComparedSentence]] = {}
    try:
        for voice in chosen:
            tts = load(voice.options)
            sentences = [
                await compare(asr, tts, sentence, voice.language)
                for sentence in SENTENCES[voice.language][:count]
            ]
            tts.close()
            print_voice(console, voice, sentences)
            found[voice] = sentences
    finally:
        asr.close()
    return found


def voice_table(found: Mapping[BenchedVoice, Sequence[ComparedSentence]]) -> Table:
    """Return the error rate of each voice beside its bound."""
    table = bench_table("voice", "heard wrong", "bound")
    for voice, sentences in found.items():
        wrong = f"{error_ratio(sentences) * 100:.1f} % of {sum(each.length for each in sentences)}"
        bound = f"{MAX_ERROR_RATIO[voice.language] * 100:.0f} %"
        table.add_row(f"{voice.name} ({voice.language})", f"{wrong} {_UNITS[voice.language]}", bound)
    return table


async def compare(
    asr: AsrEngine, tts: TtsEngine, sentence: str, language: SpokenLanguage
) -> ComparedSentence:
    """Return the transcript of a sentence that the voice speaks."""
    pcm = b"".join([piece async for piece in tts.speak(sentence, language=language, speed=1.0)])
    transcript = await asr.transcribe(wav_bytes(pcm, SPEECH_RATE_HZ), language=language, prompt="")
    return ComparedSentence.of(sentence, transcript.text, language)


def print_voice(console: Console, voice: BenchedVoice, sentences: Sequence[ComparedSentence]) -> None:
    """Print the sentences of one voice, and its error rate against the bound."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("wrong", justify="right", no_wrap=True)
    table.add_column(f"{voice.name}: said, and heard where it differs")
    for each in sentences:
        differs = f"\n[yellow]{each.transcript}[/yellow]" if each.errors else ""
        table.add_row(f"{each.errors}/{each.length}", f"{each.spoken}{differs}")
    console.print(table)
    ratio, bound = error_ratio(sentences), MAX_ERROR_RATIO[voice.language]
    verdict = "pass" if ratio <= bound else "FAIL"
    console.print(
        f"{verdict}  {voice.name}: {ratio:.1%} of {sum(each.length for each in sentences)} "
        f"{_UNITS[voice.language]} wrong, expected at most {bound:.0%}\n"
    )
