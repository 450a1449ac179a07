"""Makes the model of finished sentences beside it, for tests: run it with `onnx` installed.

It has the signature of Smart Turn v3 and knows one thing: an utterance of more than three seconds or so is
finished. What is before an utterance is silence, which pulls the mean of the spectrogram down.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parent / "smart_turn_model"
# Mean of the spectrogram of three seconds of speech after five of silence; 0.08 and 0.29 with one and four.
MEAN = 0.18
STEEPNESS = 50.0


def main() -> None:
    """Write the model."""
    FOLDER.mkdir(exist_ok=True)
    onnx.save(model(), str(FOLDER / "smart-turn-v3.2-cpu.onnx"))


def model() -> Any:
    """Return a logistic function of the mean."""
    nodes = [
        helper.make_node("ReduceMean", ["input_features"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Sub", ["mean", "middle"], ["over"]),
        helper.make_node("Mul", ["over", "steepness"], ["scaled"]),
        helper.make_node("Sigmoid", ["scaled"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "last"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([MEAN], np.float32), "middle"),
        numpy_helper.from_array(np.array([STEEPNESS], np.float32), "steepness"),
        numpy_helper.from_array(np.array([1], np.int64), "last"),
    ]
    graph = helper.make_graph(
        nodes,
        "smart_turn_in_small",
        [helper.make_tensor_value_info("input_features", TensorProto.FLOAT, ["N", 80, 800])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1])],
        constants,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    return made


if __name__ == "__main__":
    main()
