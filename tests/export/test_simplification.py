"""Graph simplification, without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge_all_export.converting.simplification import simplify


def network() -> onnx.ModelProto:
    """A head and its transpose, a batch normalisation, and a constant sum."""
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(6, 4)).astype(np.float32)
    constants = {
        "kernel": generator.normal(size=(6, 3, 3, 3)).astype(np.float32),
        "gamma": np.linspace(0.5, 2, 6, dtype=np.float32),
        "beta": np.zeros(6, np.float32),
        "mean": np.full(6, 0.1, np.float32),
        "variance": np.ones(6, np.float32),
        "matrix": matrix,
        "turned": np.ascontiguousarray(matrix.T),
        "one": np.float32(1),
        "two": np.float32(2),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel"], ["maps"]),
            helper.make_node("BatchNormalization", ["maps", "gamma", "beta", "mean", "variance"], ["normal"]),
            helper.make_node("GlobalAveragePool", ["normal"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["features"]),
            helper.make_node("MatMul", ["features", "matrix"], ["hidden"]),
            helper.make_node("Add", ["one", "two"], ["three"]),
            helper.make_node("Mul", ["hidden", "three"], ["scaled"]),
            helper.make_node("MatMul", ["scaled", "turned"], ["back"]),
        ],
        "head",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("back", TensorProto.FLOAT, ["batch", 6])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_the_graph_shrinks_and_answers_as_before(tmp_path: Path) -> None:
    before = network()
    after = simplify(before)
    onnx.checker.check_model(after, full_check=True)
    operators = [node.op_type for node in after.graph.node]
    assert "BatchNormalization" not in operators
    assert "Add" not in operators
    assert after.ir_version == before.ir_version
    assert [(opset.domain, opset.version) for opset in after.opset_import] == [("", 17)]
    image = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    answers = []
    for name, model in (("before", before), ("after", after)):
        onnx.save(model, tmp_path / name)
        session = onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"])
        answers.append(session.run(None, {"image": image})[0])
    assert np.allclose(*answers, atol=1e-5)


def test_what_unsqueezes_nothing_is_taken_out(tmp_path: Path) -> None:
    """As tf2onnx leaves it of an einsum; OpenVINO cannot convert it."""
    nothing = numpy_helper.from_array(np.array([], np.int64), "nothing")
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["image"], ["positive"]),
            helper.make_node("Unsqueeze", ["positive", "nothing"], ["same"]),
            helper.make_node("Unsqueeze", ["same", "nothing"], ["again"]),
            helper.make_node("Unsqueeze", ["again", "last"], ["wider"]),
            helper.make_node("Unsqueeze", ["positive", "nothing"], ["plain"]),
        ],
        "idle",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 4])],
        [
            helper.make_tensor_value_info("wider", TensorProto.FLOAT, ["batch", 4, 1]),
            helper.make_tensor_value_info("plain", TensorProto.FLOAT, ["batch", 4]),
        ],
        [nothing, numpy_helper.from_array(np.array([2], np.int64), "last")],
    )
    after = simplify(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    onnx.checker.check_model(after, full_check=True)
    # An output keeps its name, and with it the node that makes it.
    assert sorted(node.output[0] for node in after.graph.node if node.op_type == "Unsqueeze") == ["plain", "wider"]
    onnx.save(after, tmp_path / "after.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "after.onnx", providers=["CPUExecutionProvider"])
    image = np.array([[-1, 2, -3, 4]], np.float32)
    wider, plain = session.run(["wider", "plain"], {"image": image})
    assert wider.tolist() == [[[0], [2], [0], [4]]]
    assert plain.tolist() == [[0, 2, 0, 4]]


def test_a_matrix_and_its_transpose_are_stored_once() -> None:
    after = simplify(network())
    stored = [tensor for tensor in after.graph.initializer if sorted(tensor.dims) == [4, 6]]
    assert len(stored) == 1
    assert [node.op_type for node in after.graph.node].count("Gemm") == 1
