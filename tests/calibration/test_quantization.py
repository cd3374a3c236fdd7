from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_all.errors import ModelIncompatibleError
from edge_all_calibration.quantization import METHODS, quantise
from edge_all_calibration.release import CellParts
from edge_all_calibration.scores import Score


def float_convolutions(file: Path) -> int:
    """Convolutions whose weights are no result of a DequantizeLinear."""
    model = onnx.load(file)
    dequantised = {name for node in model.graph.node if node.op_type == "DequantizeLinear" for name in node.output}
    return sum(node.op_type == "Conv" and node.input[1] not in dequantised for node in model.graph.node)


def named(network: Path, target: Path) -> Path:
    model = onnx.load(network)
    for index, node in enumerate(model.graph.node):
        node.name = f"n{index}"
    onnx.save(model, target)
    return target


def test_the_method_that_decides_best_is_chosen(tmp_path: Path, network: Path, parts: CellParts) -> None:
    wanted = {"minmax": Score(0.003, 0.2), "entropy": Score(0.001, 0.3), "percentile": Score(0.001, 0.4)}
    said: list[str] = []
    result = quantise(
        named(network, tmp_path / "fp32.onnx"),
        tmp_path / "int8.onnx",
        parts.calibration.crops[:16],
        lambda file: wanted[file.stem],
        said.append,
    )
    assert result.method == "entropy"
    assert result.methods == wanted
    assert result.float_blocks == ()
    assert len(said) == len(METHODS)
    assert float_convolutions(tmp_path / "int8.onnx") == 0


def test_the_worst_block_stays_in_float_when_decisions_differ(tmp_path: Path, network: Path, parts: CellParts) -> None:
    def score(file: Path) -> Score:
        # As if the first convolution did all the damage.
        model = onnx.load(file)
        first = next(node for node in model.graph.node if node.op_type == "Conv")
        quantised = any(first.input[1] in node.output for node in model.graph.node)
        return Score(0.1, 0.1) if quantised else Score(0.0, 0.001)

    source = named(network, tmp_path / "fp32.onnx")
    result = quantise(source, tmp_path / "int8.onnx", parts.calibration.crops[:16], score, lambda _: None)
    assert result.float_blocks == ("first convolution",)
    assert next(iter(result.damage)) == "first convolution"
    assert result.score == Score(0.0, 0.001)
    assert float_convolutions(tmp_path / "int8.onnx") == 1


def test_a_network_without_convolutions_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["float"], "cast", to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["float"], ["mean"], "mean", axes=[1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "scale"], ["probability"], "scale"),
        ],
        "flat",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 8, 8, 3])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])],
        [numpy_helper.from_array(np.float32(1 / 255), "scale")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "a.onnx")
    with pytest.raises(ModelIncompatibleError, match="no convolution"):
        quantise(
            tmp_path / "a.onnx", tmp_path / "b.onnx", np.zeros((2, 8, 8, 3), np.uint8), lambda _: Score(0, 0), print
        )
    assert not (tmp_path / "b.onnx").exists()
