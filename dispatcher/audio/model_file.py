"""Files of models: fetched once, checked against their sha256, and loaded for one thread of CPU."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from dispatcher.errors import AudioError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

log = structlog.get_logger(__name__)

_PIECE_BYTES: Final = 1024 * 1024
_SHOWN_EVERY_BYTES: Final = 50 * _PIECE_BYTES


def fetch(url: str, target: Path, *, sha256: str, timeout_s: float) -> None:
    """Fetch a file into its place; one with another sum never gets there.

    Raises:
        OSError: the hub does not answer, or the file cannot be written.
        HTTPException: the hub answers nonsense.
        ValueError: the file has another sum.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}")
    digest, got, shown = hashlib.sha256(), 0, 0
    log.info("fetching weights", file=target.name, hub=urlsplit(url).netloc)
    request = urllib.request.Request(url, headers={"User-Agent": "xiaozhi-dispatcher"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer, unfinished.open("wb") as file:  # noqa: S310
            while piece := answer.read(_PIECE_BYTES):
                file.write(piece)
                digest.update(piece)
                got += len(piece)
                if got - shown >= _SHOWN_EVERY_BYTES:
                    shown = got
                    log.info("fetching weights", file=target.name, megabytes=got // 1_000_000)
        if digest.hexdigest() != sha256:
            raise ValueError(f"its file has sha256 {digest.hexdigest()}, expected {sha256}")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def load_onnx(path: Path) -> InferenceSession:
    """Return a session of the model; what is wrong with a file is an error of the library's own kinds.

    Raises:
        AudioError: onnxruntime is not installed.
    """
    try:
        # Half a second to import, and only endpointing needs it here.
        import onnxruntime  # noqa: PLC0415
    except ImportError as error:
        raise AudioError("no onnxruntime for endpointing; pip install 'xiaozhi-dispatcher[vad]'") from error
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
