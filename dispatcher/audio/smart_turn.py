"""Smart Turn: how likely a sentence is finished, from the sound of its last 8 seconds.

The model (BSD-2-Clause, 8.7 MB) comes from a file that the operator names, from the installed package
`pipecat-ai`, of which only the folder is used, from DATA_DIR, or from the hub. None is required.
"""

from __future__ import annotations

import http.client
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from dispatcher.audio import JUDGED_S
from dispatcher.audio.log_mel import MEL_RATE_HZ, log_mel
from dispatcher.audio.model_file import fetch, load_onnx
from dispatcher.audio.pcm import resample, to_float32
from dispatcher.errors import AudioError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

MODEL_NAME: Final = "smart-turn-v3.2-cpu.onnx"
MODEL_SHA256: Final = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
HUB_URL: Final = f"https://huggingface.co/pipecat-ai/smart-turn-v3/resolve/main/{MODEL_NAME}"
# Offline, a name is not found at once; a network that swallows packets must not hold a device up for long.
HUB_TIMEOUT_S: Final = 4.0
_PACKAGE_FOLDER: Final = Path("audio", "turn", "smart_turn", "data")
_INPUT: Final = "input_features"


class SmartTurn:
    """The model; it has no memory, and may be used from one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Load the model.

        Raises:
            AudioError: onnxruntime is not installed, or the file is no such model.
        """
        self._session = _load(path)

    def finished(self, pcm: bytes, rate_hz: int) -> float:
        """Return how likely the sentence is finished, 0..1; some 100 ms of CPU.

        Args:
            pcm: s16le, with the first 100 ms or more of the pause; its last 8 s count.
            rate_hz: of the PCM.
        """
        length = JUDGED_S * MEL_RATE_HZ
        samples = to_float32(resample(pcm, rate_hz, MEL_RATE_HZ))
        taken = np.pad(samples[-length:], (max(0, length - len(samples)), 0))
        (found,) = self._session.run(None, {_INPUT: log_mel(taken)[np.newaxis]})
        return float(found.item())


def find_model(named: Path | None, *, data_dir: Path) -> Path:
    """Return the file of the model; it is fetched from the hub, once, where it is nowhere else.

    Args:
        named: a file, or a folder that has it; no other source is tried then.
        data_dir: what was fetched is kept there.

    Raises:
        AudioError: it is nowhere; says what to do.
    """
    if named is not None:
        path = named / MODEL_NAME if named.is_dir() else named
        if not path.is_file():
            raise AudioError(f"SMART_TURN_MODEL={named}: no such file; expected {MODEL_NAME} or its folder")
        return path
    fetched = data_dir / "models" / MODEL_NAME
    return _packaged() or (fetched if fetched.is_file() else _fetch(fetched))


def _packaged() -> Path | None:
    spec = find_spec("pipecat")
    folders = spec.submodule_search_locations if spec is not None else None
    paths = (Path(folder) / _PACKAGE_FOLDER / MODEL_NAME for folder in folders or ())
    return next((path for path in paths if path.is_file()), None)


def _fetch(target: Path) -> Path:
    try:
        fetch(HUB_URL, target, sha256=MODEL_SHA256, timeout_s=HUB_TIMEOUT_S)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise AudioError(
            f"no {MODEL_NAME} here, and the hub did not give it ({error}); "
            "pip install --no-deps pipecat-ai, or name the file in SMART_TURN_MODEL"
        ) from error
    return target


def _load(path: Path) -> InferenceSession:
    try:
        session = load_onnx(path)
        inputs = [each.name for each in session.get_inputs()]
    except AudioError:
        raise
    except Exception as error:  # its errors have no common base but this
        raise AudioError(f"{path} is no model of Smart Turn: {error}") from error
    if inputs != [_INPUT]:
        raise AudioError(f"{path} is no model of Smart Turn: it takes {inputs}, expected {_INPUT}")
    return session
