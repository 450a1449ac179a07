"""Export of SenseVoice for sherpa-onnx: its sources, and the check of every file.

Sources in this order: a folder that the operator names, the local hub cache, the data folder (filled from the
Hugging Face hub or ModelScope).
"""

from __future__ import annotations

import http.client
import os
import urllib.error
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dispatcher.audio.model_file import fetch
from dispatcher.bundled.sensevoice.onnx_metadata import read_metadata
from dispatcher.bundled.weights import cached_snapshot, check_sha256
from dispatcher.errors import StartError, in_words

REPOSITORY: Final = "csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17"
REVISION: Final = "2365baeacb507f821a0c8120fcee3d484dba7a07"
MODELSCOPE: Final = (
    "https://modelscope.cn/models/pengzhendong/sherpa-onnx-sense-voice-zh-en-ja-ko-yue/resolve/master"
)
SHA256: Final[Mapping[str, str]] = {
    "model.int8.onnx": "c71f0ce00bec95b07744e116345e33d8cbbe08cef896382cf907bf4b51a2cd51",
    "tokens.txt": "f449eb28dc567533d7fa59be34e2abca8784f771850c78a47fb731a31429a1dc",
}
MODELS: Final = ("model.int8.onnx", "model.onnx")
TOKENS: Final = "tokens.txt"
# The sums of another export, as the program `sha256sum` writes them.
SUMS: Final = "SHA256SUMS"
# sherpa-onnx ends the process, without a word of ours, where one of these is missing.
METADATA: Final = (
    *("vocab_size", "lfr_window_size", "lfr_window_shift", "normalize_samples", "with_itn", "without_itn"),
    *("lang_auto", "lang_zh", "lang_en", "lang_ja", "lang_ko", "lang_yue", "neg_mean", "inv_stddev"),
)
# A hub that is out of reach must not hold the start up, and one that stands still is left for the other.
HUB_TIMEOUT_S: Final = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SenseVoiceExport:
    """The two files of an export."""

    model: Path
    tokens: Path


def find_export(
    *, data_dir: Path, named_dir: Path | None = None, hubs: Sequence[str] | None = None
) -> SenseVoiceExport:
    """Return an export with both files checked.

    Args:
        data_dir: where fetched files are kept.
        named_dir: the folder that the operator names; no other source is tried then.
        hubs: addresses that the files are below; those of both hubs when left out.

    Raises:
        StartError: there is none, or a file is not what it should be; says what to do.
    """
    if named_dir is not None:
        export = _named(named_dir)
    else:
        kept = data_dir / "models" / "sensevoice"
        folder = cached_snapshot(REPOSITORY, REVISION, SHA256) or _fetched(kept, hubs or _hubs())
        for name, expected in SHA256.items():
            check_sha256(folder / name, expected)
        export = SenseVoiceExport(model=folder / MODELS[0], tokens=folder / TOKENS)
    _check_content(export)
    return export


def _hubs() -> tuple[str, ...]:
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    return f"{endpoint.rstrip('/')}/{REPOSITORY}/resolve/{REVISION}", MODELSCOPE


def _named(folder: Path) -> SenseVoiceExport:
    model = next((folder / name for name in MODELS if (folder / name).is_file()), None)
    if model is None or not (folder / TOKENS).is_file():
        expected = f"{' or '.join(MODELS)}, and {TOKENS}, as in {REPOSITORY}"
        raise StartError(f"ASR_MODEL: in {folder} expected {expected}")
    sums = _sums_of(folder)
    for path in (model, folder / TOKENS):
        if path.name not in sums:
            raise StartError(
                f"ASR_MODEL: no sha256 of {path} is known; if you trust it, run in its folder: "
                f"sha256sum {model.name} {TOKENS} > {SUMS}"
            )
        check_sha256(path, sums[path.name], remedy=f"put the file right, or {SUMS} beside it")
    return SenseVoiceExport(model=model, tokens=folder / TOKENS)


def _sums_of(folder: Path) -> Mapping[str, str]:
    """Return the sums that stand in a folder, or else those of the published files."""
    path = folder / SUMS
    if not path.is_file():
        return SHA256
    lines = (line.split() for line in path.read_text("utf-8", "replace").splitlines())
    return {Path(words[1].removeprefix("*")).name: words[0].lower() for words in lines if len(words) == 2}


def _check_content(export: SenseVoiceExport) -> None:
    """Return when the library will take the files; what it does not take it answers with its end."""
    try:
        metadata = read_metadata(export.model)
    except (ValueError, OSError) as error:
        raise StartError(f"sensevoice: {export.model} cannot be read: {in_words(error)}") from error
    if missing := [name for name in METADATA if not metadata.get(name)]:
        raise StartError(
            f"sensevoice: {export.model} is no SenseVoice model for sherpa-onnx, it has no "
            f"{', '.join(missing)}; expected one as in {REPOSITORY}"
        )
    # The library counts no lines: a token without one would end the process in the middle of an utterance.
    tokens = export.tokens.read_bytes().count(b"\n")
    if not metadata["vocab_size"].isdigit() or tokens < int(metadata["vocab_size"]):
        raise StartError(
            f"sensevoice: {export.tokens} has {tokens} tokens, the model beside it {metadata['vocab_size']}; "
            "expected two files of one export"
        )


def _fetched(folder: Path, hubs: Sequence[str]) -> Path:
    """Return the folder with the files, those that it lacks fetched from the first hub that has them."""
    for name, expected in SHA256.items():
        problems: list[str] = []
        for hub in hubs if not (folder / name).is_file() else ():
            try:
                fetch(f"{hub}/{name}", folder / name, sha256=expected, timeout_s=HUB_TIMEOUT_S)
                break
            except (OSError, ValueError, http.client.HTTPException) as error:
                reason = error.reason if isinstance(error, urllib.error.URLError) else error
                said = in_words(reason) if isinstance(reason, BaseException) else reason
                problems.append(f"{urlsplit(hub).netloc}: {said}")
        if not (folder / name).is_file():
            raise StartError(
                f"sensevoice: {name} was not fetched ({'; '.join(problems)}). Put {' and '.join(SHA256)} of "
                f"{REPOSITORY} into a folder, and name it: ASR_MODEL=/that/folder; "
                "ASR_MODEL=sensevoice,whisper hears with whisper meanwhile"
            )
    return folder
