"""Makes the recordings anew: `python -m dispatcher.recordings.make http://127.0.0.1:8300/v1`.

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

from dispatcher.audio.pcm import level_dbfs, resample, to_float32, to_s16le, wav_bytes
from dispatcher.messages import REPLY_RATE_HZ, UPLINK_RATE_HZ, Language

# Speech at this level is as loud as the built-in voices; peaks stay below full scale.
LEVEL_DBFS: Final = -20.0
PEAK: Final = 0.95
# What is quieter than this at either end is not part of the phrase.
SILENT: Final = 0.01
MARGIN_S: Final = 0.06
TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """One recording to make; `speed` is the dialect's own word, 1.0 being the voice's pace."""

    name: str
    text: str
    language: Language
    sample_rate_hz: int
    speed: float = 1.0


PHRASES: Final = (
    Phrase(name="hello.wav", text="Hello! What time is it?", language="en", sample_rate_hz=UPLINK_RATE_HZ),
    Phrase(
        name="sorry_en.wav",
        text="Sorry, I could not answer that. Please try again.",
        language="en",
        sample_rate_hz=REPLY_RATE_HZ,
    ),
    Phrase(
        name="sorry_zh.wav",
        text="抱歉，我暂时回答不了，请再试一次。",
        language="zh",
        sample_rate_hz=REPLY_RATE_HZ,
        speed=1.4,
    ),
    Phrase(
        name="admit_en.wav",
        text="Please admit this device on the server first.",
        language="en",
        sample_rate_hz=REPLY_RATE_HZ,
    ),
    Phrase(
        name="admit_zh.wav",
        text="请先在服务器上允许这台设备接入。",
        language="zh",
        sample_rate_hz=REPLY_RATE_HZ,
        speed=1.4,
    ),
    Phrase(
        name="done_en.wav",
        text="That is done, but I could not finish my answer.",
        language="en",
        sample_rate_hz=REPLY_RATE_HZ,
    ),
    Phrase(
        name="done_zh.wav",
        text="已经做好了，不过我没能把话说完。",
        language="zh",
        sample_rate_hz=REPLY_RATE_HZ,
        speed=1.4,
    ),
    Phrase(
        name="cut_en.wav",
        text="But I could not finish my answer.",
        language="en",
        sample_rate_hz=REPLY_RATE_HZ,
    ),
    Phrase(
        name="cut_zh.wav",
        text="不过我没能把话说完。",
        language="zh",
        sample_rate_hz=REPLY_RATE_HZ,
        speed=1.4,
    ),
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
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
        return bytes(response.read())


def finish(pcm: bytes, phrase: Phrase) -> bytes:
    """Return the WAV: silence cut to a short margin, the level set, at the phrase's rate."""
    samples = to_float32(pcm)
    loud = np.flatnonzero(np.abs(samples) > SILENT)
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
