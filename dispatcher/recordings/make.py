"""Maker of the recordings: `python -m dispatcher.recordings.make http://127.0.0.1:8300/v1`.

The address is a TTS instance of the OpenAI dialect that answers raw PCM at 24 kHz, such as the
built-in one (`dispatcher instance tts`). Run it after a change of the words or of the voices.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import numpy as np

from dispatcher.audio.pcm import level_dbfs, resample, to_float32, to_s16le
from dispatcher.audio.wav import wav_bytes
from dispatcher.messages import REPLY_RATE_HZ, UPLINK_RATE_HZ, Language

# Speech at this level is as loud as the built-in voices; peaks stay below full scale.
LEVEL_DBFS: Final = -20.0
PEAK: Final = 0.95
# What is quieter than this at either end is not part of the phrase.
SILENCE_LEVEL: Final = 0.01
MARGIN_S: Final = 0.06
SYNTHESIS_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One recording to make; all but `hello.wav`, which a device says, are played by devices."""

    name: str
    text: str

    @property
    def language(self) -> Language:
        """Language of the text."""
        return "zh" if self.name.endswith("_zh.wav") else "en"

    @property
    def speed(self) -> float:
        """Pace in the dialect's own word, 1.0 being the voice's."""
        return 1.4 if self.language == "zh" else 1.0

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the recording."""
        return UPLINK_RATE_HZ if self.name == "hello.wav" else REPLY_RATE_HZ


PHRASES: Final = tuple(
    Phrase(name=f"{name}.wav", text=text)
    for name, text in (
        ("hello", "Hello! What time is it?"),
        ("sorry_en", "Sorry, I could not answer that. Please try again."),
        ("sorry_zh", "抱歉，我暂时回答不了，请再试一次。"),
        ("admit_en", "Please admit this device on the server first."),
        ("admit_zh", "请先在服务器上允许这台设备接入。"),
        ("done_en", "That is done, but I could not finish my answer."),
        ("done_zh", "已经做好了，不过我没能把话说完。"),
        ("cut_en", "But I could not finish my answer."),
        ("cut_zh", "不过我没能把话说完。"),
        ("busy_en", "Too many at once. Please try again in a moment."),
        ("busy_zh", "现在问的人太多了，请过一会儿再试。"),
        ("spent_en", "The budget for my answers is used up for now."),
        ("spent_zh", "回答的额度暂时用完了，请以后再试。"),
    )
)


def synthesize(endpoint: str, phrase: Phrase) -> bytes:
    """Return the phrase as s16le mono at 24 kHz, spoken by the instance at that base URL."""
    wanted = {
        "model": "tts-1",
        "voice": "default",
        "input": phrase.text,
        "language": phrase.language,
        "speed": phrase.speed,
        "response_format": "pcm",
    }
    request = urllib.request.Request(  # noqa: S310  the operator typed the address
        endpoint.rstrip("/") + "/audio/speech",
        data=json.dumps(wanted).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=SYNTHESIS_TIMEOUT_S) as response:  # noqa: S310
        return bytes(response.read())


def finish(pcm: bytes, phrase: Phrase) -> bytes:
    """Return the WAV: silence cut to a short margin, the level set, at the phrase's rate."""
    samples = to_float32(pcm)
    loud = np.flatnonzero(np.abs(samples) > SILENCE_LEVEL)
    margin = int(MARGIN_S * REPLY_RATE_HZ)
    kept = samples[max(0, loud[0] - margin) : loud[-1] + margin]
    gain = 10 ** ((LEVEL_DBFS - level_dbfs(to_s16le(kept))) / 20)
    gain = min(gain, PEAK / float(np.abs(kept).max()))
    return wav_bytes(
        resample(to_s16le(kept * np.float32(gain)), REPLY_RATE_HZ, phrase.sample_rate_hz),
        phrase.sample_rate_hz,
    )


@click.command()
@click.argument("endpoint")
def main(endpoint: str) -> None:
    """Make every recording with the TTS instance at ENDPOINT."""
    for phrase in PHRASES:
        wav = finish(synthesize(endpoint, phrase), phrase)
        Path(__file__).with_name(phrase.name).write_bytes(wav)
        click.echo(f"{phrase.name}: {len(wav)} bytes")


if __name__ == "__main__":
    main()
