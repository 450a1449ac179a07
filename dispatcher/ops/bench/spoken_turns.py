"""Turns of real speech for the bench of endpointing: recordings of Debian and PyPI, with pauses put in.

A turn is one recording, either as it is or with one pause, at the end of a clause or between two words of
one: people stop to think at both. The places were found by the words and their times as whisper hears them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dispatcher.audio.pcm import read_wav, resample_samples, to_float32, to_s16le
from dispatcher.audio.vad import VAD_RATE_HZ, WINDOW_SAMPLES, SpeechMeter
from dispatcher.errors import ConfigError

HOW_TO_GET: Final = (
    "`apt-get install pocketsphinx-testdata` brings the English ones, "
    "`pip install --no-deps f5-tts` one more and a Mandarin one"
)
POCKETSPHINX: Final = Path("/usr/share/pocketsphinx/test/data")
PAUSES_MS: Final = (400, 800, 1200)
Place = Literal["as it is", "clause end", "middle"]
PLACES: Final[tuple[Place, ...]] = get_args(Place)
# Longer than any strategy waits, so that each utterance ends.
_TAIL_S: Final = 2.5
_LEAD_S: Final = 0.5
# The times of words are early by up to so much: the quietest moment after them is the end of the clause.
_SEARCH_S: Final = 0.25
_FRAME: Final = 160
_START_PROBABILITY: Final = 0.5
_CERTAIN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenRecording:
    """A recording of one utterance.

    Attributes:
        name: its file, below one of the folders.
        clause_ends_s, middles_s: where a speaker could pause and go on, after a clause and inside one.
    """

    name: str
    clause_ends_s: tuple[float, ...] = ()
    middles_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenTurn:
    """What a microphone gives of one turn.

    Attributes:
        place: of the pause that was put in, if any.
        sound: s16le at 16 kHz, with silence before and after.
        probabilities: of speech, for each window.
        end_window: the first window after the true end of speech.
    """

    recording: str
    place: Place
    sound: bytes
    probabilities: tuple[float, ...]
    end_window: int


_AUSTEN: Final = "librivox/sense_and_sensibility_01_austen_64kb-{}.wav"
RECORDINGS: Final = (
    SpokenRecording(name="cards/001.wav", middles_s=(0.44,)),
    SpokenRecording(name="cards/002.wav", clause_ends_s=(0.55,), middles_s=(1.16,)),
    SpokenRecording(name="cards/003.wav", middles_s=(0.66,)),
    SpokenRecording(name="cards/004.wav"),
    SpokenRecording(name="cards/005.wav", clause_ends_s=(1.06, 1.9), middles_s=(0.54, 1.62)),
    SpokenRecording(name="goforward.raw", clause_ends_s=(1.04,), middles_s=(1.44,)),
    SpokenRecording(name="something.raw", clause_ends_s=(1.04,), middles_s=(1.48,)),
    SpokenRecording(name="numbers.raw", clause_ends_s=(0.84, 1.54)),
    SpokenRecording(name="tidigits/dhd.2934z.raw"),
    SpokenRecording(name=_AUSTEN.format("0870"), clause_ends_s=(3.36, 5.96), middles_s=(2.02, 4.24, 4.92)),
    SpokenRecording(name=_AUSTEN.format("0880"), middles_s=(1.3, 2.04)),
    SpokenRecording(name=_AUSTEN.format("0890"), clause_ends_s=(2.02, 3.3), middles_s=(1.14, 4.14)),
    SpokenRecording(name=_AUSTEN.format("0920"), clause_ends_s=(2.32, 4.78), middles_s=(1.32, 3.32, 5.14)),
    SpokenRecording(name=_AUSTEN.format("0930"), middles_s=(1.26, 1.6)),
    SpokenRecording(name="basic_ref_en.wav", clause_ends_s=(1.84,), middles_s=(1.4, 4.42)),
    SpokenRecording(name="basic_ref_zh.wav", clause_ends_s=(0.56, 2.36, 4.22), middles_s=(1.84, 3.96, 4.8)),
)


def find_folders(named: Path | None) -> tuple[Path, ...]:
    """Return where recordings may be: the folder that is named, else those of the packages."""
    if named is not None:
        return (named,)
    spec = find_spec("f5_tts")
    found = spec.submodule_search_locations if spec is not None else None
    return (POCKETSPHINX, *(Path(folder) / "infer/examples/basic" for folder in found or ()))


def spoken_turns(folders: Sequence[Path]) -> Iterator[SpokenTurn]:
    """Return the turns of all recordings that are there, one after the other: each takes a moment.

    Raises:
        ConfigError: none is there; says where they come from.
    """
    found = [(each, path) for each in RECORDINGS for path in _paths(each.name, folders)]
    if not found:
        raise ConfigError([f"no recordings in {', '.join(map(str, folders))}; {HOW_TO_GET}"])
    for each, path in found:
        yield from _turns_of(each, _read(path))


def _paths(name: str, folders: Sequence[Path]) -> list[Path]:
    """Return the file of a recording, in the first folder that has it, whatever is above it there."""
    candidates = [folder / part for folder in folders for part in (name, Path(name).name)]
    return [path for path in candidates if path.is_file()][:1]


def _read(path: Path) -> NDArray[np.float32]:
    if path.suffix == ".raw":
        return to_float32(path.read_bytes())
    pcm, rate_hz = read_wav(path.read_bytes())
    return resample_samples(to_float32(pcm), rate_hz, VAD_RATE_HZ)


def _turns_of(recording: SpokenRecording, samples: NDArray[np.float32]) -> Iterator[SpokenTurn]:
    levels = _levels(samples)
    # The room of the recording goes on in its pauses, and before and after it.
    floor = float(np.percentile(levels, 5))
    yield _turn(recording.name, samples, floor, place="as it is")
    places: dict[Place, tuple[float, ...]] = {
        "clause end": recording.clause_ends_s,
        "middle": recording.middles_s,
    }
    for place, ends_s in places.items():
        for end_s in ends_s:
            first = round(end_s * VAD_RATE_HZ / _FRAME)
            found = levels[first : first + round(_SEARCH_S * VAD_RATE_HZ / _FRAME)]
            cut = (first + int(found.argmin())) * _FRAME
            for pause_ms in PAUSES_MS:
                paused = np.concatenate((samples[:cut], _room(pause_ms / 1000, floor), samples[cut:]))
                yield _turn(recording.name, paused, floor, place=place)


def _turn(name: str, samples: NDArray[np.float32], floor: float, *, place: Place) -> SpokenTurn:
    sound = to_s16le(np.concatenate((_room(_LEAD_S, floor), samples, _room(_TAIL_S, floor))))
    probabilities = tuple(SpeechMeter().feed(sound))
    likely = [each >= _START_PROBABILITY for each in probabilities]
    # One window alone is a click of the room.
    spoken = [at for at in range(_CERTAIN, len(likely)) if all(likely[at - _CERTAIN + 1 : at + 1])]
    return SpokenTurn(
        recording=name,
        place=place,
        sound=sound,
        probabilities=probabilities,
        end_window=spoken[-1] + 1 if spoken else 0,
    )


def _levels(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the RMS of each 10 ms."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    levels: NDArray[np.float32] = np.sqrt((frames**2).mean(axis=1))
    return levels


def _room(seconds: float, level: float) -> NDArray[np.float32]:
    noise = np.random.default_rng(1).standard_normal(round(seconds * VAD_RATE_HZ))
    return (noise * level).astype(np.float32)


def heard_until(turn: SpokenTurn, window: int) -> bytes:
    """Return the sound of a turn up to and with a window."""
    return turn.sound[: (window + 1) * WINDOW_SAMPLES * 2]
