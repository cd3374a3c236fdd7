from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_all.errors import ModelIncompatibleError
from edge_all.model.package import default_package_path, load_package
from edge_all_calibration.quantizing.quantization import quantise
from edge_all_calibration.quantizing.saturation import LARGEST_SUM, largest_pair_sums, limit_codes
from edge_all_calibration.quantizing.scores import Score
from edge_all_calibration.releasing.release import CellParts


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
    sums = largest_pair_sums(model)
    assert len(sums) == 2
    assert max(sums.values()) == result.largest_pair_sum <= LARGEST_SUM
    clips = [node for node in model.graph.node if node.op_type == "Clip"]
    assert bool(clips) is (reduced == "activations")
    # Without the limit on the codes, an input that calibration did not see could overflow.
    for node in clips:
        node.input[2] = ""
    assert (max(largest_pair_sums(model).values()) > LARGEST_SUM) is (reduced == "activations")


def test_no_input_drives_a_code_over_its_limit(tmp_path: Path, network: Path, parts: CellParts) -> None:
    crops = parts.calibration.crops[:16]
    order = iter([Score(0.0, float(index != 1)) for index in range(5)])
    quantise(
        named(network, tmp_path / "fp32.onnx"), tmp_path / "int8.onnx", crops, lambda _: next(order), lambda _: None
    )
    model = onnx.load(tmp_path / "int8.onnx")
    limited = [node.output[0] for node in model.graph.node if node.op_type == "Clip"]
    before = [node.input[0] for node in model.graph.node if node.op_type == "Clip"]
    names = [*before, *limited]
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.UINT8, None) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    # Stripes, brighter against darker than any cell: far outside what the ranges were made from.
    strange = np.zeros((2, *crops.shape[1:]), np.uint8)
    strange[0, :, ::3], strange[1, ::2] = (255, 0, 255), (255, 0, 255)
    codes = dict(zip(names, session.run(names, {"image": strange}), strict=True))
    assert max(int(codes[name].max()) for name in before) > 129
    assert max(int(codes[name].max()) for name in limited) <= 129


def test_a_sum_counts_two_weights_of_one_sign_and_one_channel() -> None:
    weights = np.array([[100, -100, 3], [-90, 20, -70], [127, 0, 0]], np.int8).reshape(3, 1, 1, 3)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["codes"]),
        helper.make_node("DequantizeLinear", ["codes", "scale", "zero"], ["activation"]),
        helper.make_node("DequantizeLinear", ["weights", "scales", "zeros"], ["kernel"], axis=0),
        helper.make_node("Conv", ["activation", "kernel"], ["y"], "conv"),
    ]
    constants = {
        "scale": np.float32(1),
        "zero": np.uint8(0),
        "weights": weights,
        "scales": np.ones(3, np.float32),
        "zeros": np.zeros(3, np.int8),
    }
    graph = helper.make_graph(
        nodes,
        "pair",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 1, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3, 1, 1])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert largest_pair_sums(model) == {"conv": 255 * 160}
    limit_codes(model)
    onnx.checker.check_model(model, full_check=True)
    assert largest_pair_sums(model) == {"conv": 129 * 160}


def test_the_embedded_network_cannot_overflow_16_bits() -> None:
    package = load_package(default_package_path())
    sums = largest_pair_sums(onnx.load(package.variant_file("int8")))
    assert len(sums) > 80
    assert max(sums.values()) <= LARGEST_SUM


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
