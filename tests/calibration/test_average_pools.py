from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_all_calibration.quantizing.average_pools import average_after_projection

SIDE = 9


def block(
    *, before: int = 12, after: int = 4, kernel: int = 1, pool: dict[str, Any] | None = None, shared: bool = False
) -> onnx.ModelProto:
    """A branch of an Inception block: average, convolution, ReLU."""
    generator = np.random.default_rng(5)
    weights = generator.normal(size=(after, before, kernel, kernel)).astype(np.float32)
    bias = generator.normal(size=after).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["x"], ["mean"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], **(pool or {})),
        helper.make_node("Conv", ["mean", "weights", "bias"], ["projected"], kernel_shape=[kernel, kernel]),
        helper.make_node("Relu", ["projected"], ["y"]),
    ]
    results = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", after, None, None])]
    if shared:
        nodes.append(helper.make_node("Relu", ["mean"], ["z"]))
        results.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", before, None, None]))
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", before, SIDE, SIDE])],
        results,
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(model: onnx.ModelProto) -> NDArray[np.float32]:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(6).normal(size=(2, 12, SIDE, SIDE)).astype(np.float32)
    return np.asarray(session.run(["y"], {"x": picture})[0])


def test_the_projection_comes_first_and_the_network_computes_the_same() -> None:
    model = block()
    before = answer(model)
    assert average_after_projection(model) == 1
    assert [node.op_type for node in model.graph.node] == ["Conv", "AveragePool", "Relu"]
    # At the rim too, where fewer than nine pixels are averaged.
    np.testing.assert_allclose(answer(model), before, atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(block(pool={"count_include_pad": 1}), id="counts the zeros outside, which the bias would change"),
        pytest.param(block(pool={"strides": [2, 2]}), id="the projection would have four times the pixels"),
        pytest.param(block(after=12), id="as many channels afterwards"),
        pytest.param(block(kernel=3), id="a convolution of neighbours, which reads zeros outside"),
        pytest.param(block(shared=True), id="the mean is used elsewhere, too"),
    ],
)
def test_other_pools_stay_where_they_are(model: onnx.ModelProto) -> None:
    unchanged = model.SerializeToString()
    assert average_after_projection(model) == 0
    assert model.SerializeToString() == unchanged
