"""Makes the two models beside it, for the real servers of sherpa-onnx: `python make_models.py`, with `onnx`.

They are a kilobyte each and know one word: every stretch of sound that is louder than a whisper is a WORD.
Written to the form of NeMo's CTC models, streaming and not, which sherpa-onnx loads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent / "sherpa_onnx_models"
# Feature frames of 10 ms: as many in a step, and as many for one output.
WINDOW, SUBSAMPLING = 16, 8
# Mean of the logarithms of the mel bands; silence is near -16.
LOUD = -8.0
CACHES = ("cache_last_channel", "cache_last_time")
NEXT = {
    "cache_last_channel": "cache_last_channel_next",
    "cache_last_time": "cache_last_time_next",
    "cache_last_channel_len": "cache_last_channel_next_len",
}


def main() -> None:
    """Write both models and their words."""
    FOLDER.mkdir(exist_ok=True)
    onnx.save(model(streaming=True), str(FOLDER / "streaming.onnx"))
    onnx.save(model(streaming=False), str(FOLDER / "whole.onnx"))
    (FOLDER / "tokens.txt").write_text("▁WORD 0\n<blk> 1\n", "utf-8")


def model(*, streaming: bool) -> Any:
    """Return a model whose logit for WORD is the loudness, against a blank of zero."""
    caches = list(NEXT) if streaming else []
    nodes = [
        helper.make_node("ReduceMean", ["audio_signal"], ["loudness"], axes=[1], keepdims=1),
        helper.make_node(
            "AveragePool", ["loudness"], ["pooled"], kernel_shape=[SUBSAMPLING], strides=[SUBSAMPLING]
        ),
        helper.make_node("Transpose", ["pooled"], ["frames"], perm=[0, 2, 1]),
        helper.make_node("Sub", ["frames", "loud"], ["word"]),
        helper.make_node("Mul", ["word", "zero"], ["blank"]),
        helper.make_node("Concat", ["word", "blank"], ["logprobs"], axis=2),
        helper.make_node("Identity", ["length"], ["encoded_lengths"]),
        *(helper.make_node("Identity", [name], [NEXT[name]]) for name in caches),
    ]
    inputs = [_value("audio_signal", ["B", 80, "T"]), _value("length", ["B"])]
    outputs = [_value("logprobs", ["B", "N", 2]), _value("encoded_lengths", ["B"])]
    inputs += [_value(name, ["B"] if name.endswith("len") else ["B", 1, 1, 1]) for name in caches]
    outputs += [_value(NEXT[name], ["B"] if name.endswith("len") else ["B", 1, 1, 1]) for name in caches]
    constants = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in (("loud", LOUD), ("zero", 0.0))
    ]
    graph = helper.make_graph(nodes, "ear", inputs, outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(made, _properties())
    onnx.checker.check_model(made)
    return made


def _value(name: str, shape: list[Any]) -> Any:
    whole = name in ("length", "encoded_lengths") or name.endswith("len")
    return helper.make_tensor_value_info(name, TensorProto.INT64 if whole else TensorProto.FLOAT, shape)


def _properties() -> dict[str, str]:
    properties = {
        "model_type": "EncDecCTCModelBPE",
        "window_size": str(WINDOW),
        "chunk_shift": str(WINDOW),
        "subsampling_factor": str(SUBSAMPLING),
        "vocab_size": "1",
        "normalize_type": "",
    }
    return properties | {f"{cache}_dim{at}": "1" for cache in CACHES for at in (1, 2, 3)}


if __name__ == "__main__":
    main()
