"""ASR engine: whisper-base on the CPU, by faster-whisper."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dispatcher.bundled.engine_options import at_least
from dispatcher.bundled.transcription_pool import TranscriptionPool
from dispatcher.bundled.weights import find_weights
from dispatcher.errors import StartError


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperOptions:
    """Threads and slots of the engine, and the folders of its weights.

    Attributes:
        threads: cores that one utterance may use; two cost a sixth more CPU and help on an idle machine only.
        slots: utterances at once; 0 is one for each core.
        queue: utterances that may wait for a slot; one more is answered 503.
        whisper_dir: folder with the weights; the environment's WHISPER_DIR when empty.
        data_dir: where joined weights are kept; the environment's DATA_DIR when empty.
    """

    threads: int = at_least(1, default=1)
    slots: int = at_least(0, default=0)
    queue: int = at_least(0, default=16)
    whisper_dir: str = ""
    data_dir: str = ""


def load(options: WhisperOptions) -> TranscriptionPool:
    """Return the engine with its model in memory.

    Raises:
        StartError: there are no weights, one has another sha256 than expected, or the package is missing.
    """
    if find_spec("faster_whisper") is None:
        raise StartError("whisper: faster-whisper is not installed; install the `builtin` extra")
    named_dir = options.whisper_dir or os.environ.get("WHISPER_DIR", "")
    weights = find_weights(
        data_dir=Path(options.data_dir or os.environ.get("DATA_DIR") or "var"),
        named_dir=Path(named_dir) if named_dir else None,
    )
    # A second of imports, which belongs to the loading.
    from faster_whisper import WhisperModel  # noqa: PLC0415

    from dispatcher.bundled.whisper.decoder import TokenDecoder  # noqa: PLC0415

    slots = options.slots or os.cpu_count() or 1
    model = WhisperModel(
        str(weights),
        device="cpu",
        compute_type="int8",
        cpu_threads=options.threads,
        num_workers=slots,
        local_files_only=True,
    )
    return TranscriptionPool(TokenDecoder(model), model="whisper-base", slots=slots, queue=options.queue)
