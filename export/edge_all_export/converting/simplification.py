"""A graph as the exporter leaves it, made smaller without changing what it computes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from edge_all_calibration.quantizing.operator_sets import drop_unused_operator_sets

__all__ = ["simplify"]

_ERRORS_ONLY = 3


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and batch normalisation, drop what is computed for nothing.

    ONNX Runtime's basic optimisations do it: they use standard operators alone, so the result runs everywhere.
    """
    with tempfile.TemporaryDirectory(prefix="edge-all-simplify-") as scratch:
        before, after = Path(scratch) / "before.onnx", Path(scratch) / "after.onnx"
        onnx.save(model, before)
        # Both: what ONNX Runtime says of the graph goes to its default logger, past that of the session.
        onnxruntime.set_default_logger_severity(_ERRORS_ONLY)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(after)
        onnxruntime.InferenceSession(before, options, providers=["CPUExecutionProvider"])
        simplified = onnx.load(after)
    drop_unused_operator_sets(simplified)
    simplified.ir_version = model.ir_version
    _drop_idle(simplified)
    simplified = onnx.shape_inference.infer_shapes(simplified)
    _share_transposed(simplified)
    return simplified


def _drop_idle(model: onnx.ModelProto) -> None:
    """Take out every Unsqueeze over no axes.

    tf2onnx leaves them where it took an einsum apart. They do nothing, but OpenVINO 2026.4 loses the rank of what lies
    behind one, and cannot convert the network.
    """
    graph = model.graph
    no_axes = {tensor.name for tensor in graph.initializer if list(tensor.dims) == [0]}
    outputs = {output.name for output in graph.output}
    idle: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        node.input[:] = [idle.get(name, name) for name in node.input]
        is_idle = node.op_type == "Unsqueeze" and len(node.input) == 2 and node.input[1] in no_axes
        if is_idle and node.output[0] not in outputs:
            idle[node.output[0]] = node.input[0]
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _share_transposed(model: onnx.ModelProto) -> None:
    """Store a matrix once that one node uses as it is and another transposed.

    The class activation map runs the head backwards, so that its largest matrix would travel twice: 1.4 MB of the 25
    that the INT8 file may have.
    """
    graph = model.graph
    matrices = {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2 and min(tensor.dims) > 1
    }
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.value_info}
    dropped = set()
    for node in graph.node:
        # Gemm transposes, but takes matrices alone.
        if node.op_type != "MatMul" or node.input[1] not in matrices or ranks.get(node.input[0]) != 2:
            continue
        name = node.input[1]
        values = matrices[name]
        for other, kept in matrices.items():
            if (
                other not in dropped
                and other != name
                and kept.T.shape == values.shape
                and np.array_equal(kept.T, values)
            ):
                node.op_type = "Gemm"
                node.input[1] = other
                node.attribute.append(helper.make_attribute("transB", 1))
                dropped.add(name)
                break
    used = {name for node in graph.node for name in node.input}
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)
