from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_all.errors import ModelIncompatibleError
from edge_all_calibration.quantization import quantise
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


def test_the_way_that_decides_best_is_chosen(tmp_path: Path, network: Path, parts: CellParts) -> None:
    scores = iter([Score(0.003, 0.2), Score(0.002, 0.5), Score(0.001, 0.3), Score(0.001, 0.2), Score(0.1, 0.1)])
    said: list[str] = []
    result = quantise(
        named(network, tmp_path / "fp32.onnx"),
        tmp_path / "int8.onnx",
        parts.calibration.crops[:16],
        lambda _: next(scores),
        said.append,
    )
    # A network of three blocks has no five ways to reduce: weights or activations; entropy with weights alone.
    assert list(result.methods) == [
        "minmax, 7-bit weights",
        "minmax, 7-bit activations",
        "entropy, 7-bit weights",
        "percentile, 7-bit weights",
        "percentile, 7-bit activations",
    ]
    assert result.method == "percentile, 7-bit weights"
    assert result.float_blocks == ()
    assert len(said) == 5
    assert float_convolutions(tmp_path / "int8.onnx") == 0


@pytest.mark.parametrize("reduced", ["weights", "activations"])
def test_no_two_products_overflow_16_bits(tmp_path: Path, network: Path, parts: CellParts, reduced: str) -> None:
    """What a processor without VNNI adds in 16 bits: two products of an activation and a weight."""
    crops = parts.calibration.crops[:16]
    wanted = 0 if reduced == "weights" else 1
    order = iter([Score(0.0, float(index != wanted)) for index in range(5)])
    source = named(network, tmp_path / "fp32.onnx")
    result = quantise(source, tmp_path / "int8.onnx", crops, lambda _: next(order), lambda _: None)
    assert result.method == f"minmax, 7-bit {reduced}"
    model = onnx.load(tmp_path / "int8.onnx")
    quantised = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    makers = {name: node for node in model.graph.node for name in node.output}
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in quantised)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    seen = dict(zip(quantised, session.run(quantised, {"image": crops}), strict=True))
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 2
    for node in convolutions:
        activation = int(seen[makers[node.input[0]].input[0]].max())
        weight = int(np.abs(tensors[makers[node.input[1]].input[0]].astype(int)).max())
        assert 2 * activation * weight < 2**15
        assert (weight > 64) is (reduced == "activations")


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
