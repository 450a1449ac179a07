"""Makes the SenseVoice model beside it, for the real library of sherpa-onnx: run it with `onnx` installed.

It is 5 kB and knows one word of each language: every stretch of sound that is louder than a whisper is 好, or
hello where it is told to listen for English. Its form is that of sherpa-onnx's export script for SenseVoice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent / "sense_voice_model"
TOKENS = (
    *("<unk>", "<|zh|>", "<|yue|>", "<|en|>", "<|NEUTRAL|>", "<|Speech|>", "<|withitn|>", "<|woitn|>"),
    *("好", "▁hello"),
)
FEATURES = 560
# Mean of the logarithms of the mel bands of samples up to 32768; silence is near -16.
LOUD = 10.0
# The numbers of languages and of punctuation, as the published model has them.
LANGUAGES = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12}
WITH_ITN, WITHOUT_ITN = 14, 15


def main() -> None:
    """Write the model, its tokens and the sums of both."""
    FOLDER.mkdir(exist_ok=True)
    onnx.save(model(), str(FOLDER / "model.onnx"))
    (FOLDER / "tokens.txt").write_text("".join(f"{each} {at}\n" for at, each in enumerate(TOKENS)), "utf-8")
    names = ("model.onnx", "tokens.txt")
    sums = (f"{hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (FOLDER / "SHA256SUMS").write_text("".join(sums), "utf-8")


def model() -> Any:
    """Return a model that says four tags, and then a word wherever it is loud."""
    nodes = [
        *_looked_up("languages", "language", "tag"),
        *_looked_up("norms", "text_norm", "norm"),
        *_looked_up("words", "language", "word"),
        helper.make_node("ReduceMean", ["x"], ["loudness"], axes=[2], keepdims=1),
        helper.make_node("Sub", ["loudness", "loud"], ["over"]),
        helper.make_node("Mul", ["over", "word"], ["frames"]),
        helper.make_node("Concat", ["tag", "middle", "norm", "frames"], ["logits"], axis=1),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "T", FEATURES]),
        *(
            helper.make_tensor_value_info(name, TensorProto.INT32, ["N"])
            for name in ("x_length", "language", "text_norm")
        ),
    ]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", "F", len(TOKENS)])]
    kept = [numpy_helper.from_array(np.array(value), name) for name, value in _constants().items()]
    graph = helper.make_graph(nodes, "ear", inputs, outputs, kept)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(made, _properties())
    onnx.checker.check_model(made)
    return made


def _constants() -> Mapping[str, Any]:
    spoken = {LANGUAGES[name]: f"<|{name}|>" for name in ("zh", "yue", "en")}
    return {
        "languages": _rows(16, {LANGUAGES["auto"]: "<|zh|>", **spoken}),
        "norms": _rows(16, {WITH_ITN: "<|withitn|>", WITHOUT_ITN: "<|woitn|>"}),
        "words": _rows(16, dict.fromkeys(range(16), "好") | {LANGUAGES["en"]: "▁hello"}),
        "middle": _rows(2, {0: "<|NEUTRAL|>", 1: "<|Speech|>"})[None],
        "loud": np.float32(LOUD),
        "at": np.array([1], np.int64),
    }


def _rows(count: int, tokens: Mapping[int, str]) -> NDArray[np.float32]:
    """Return a table with a token for each number."""
    table = np.zeros((count, len(TOKENS)), np.float32)
    for at, token in tokens.items():
        table[at, TOKENS.index(token)] = 1
    return table


def _looked_up(table: str, by: str, to: str) -> list[Any]:
    return [
        helper.make_node("Gather", [table, by], [f"{to}_row"]),
        helper.make_node("Unsqueeze", [f"{to}_row", "at"], [to]),
    ]


def _properties() -> dict[str, str]:
    numbers = {
        **{f"lang_{name}": number for name, number in LANGUAGES.items()},
        "with_itn": WITH_ITN,
        "without_itn": WITHOUT_ITN,
        "lfr_window_size": 7,
        "lfr_window_shift": 6,
        "normalize_samples": 0,
        "vocab_size": len(TOKENS),
    }
    scaling = {"neg_mean": ",".join(["0"] * FEATURES), "inv_stddev": ",".join(["1"] * FEATURES)}
    return {name: str(number) for name, number in numbers.items()} | scaling


if __name__ == "__main__":
    main()
