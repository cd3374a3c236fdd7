"""FP16 for GPUs: half the bytes and, on tensor cores, several times the speed.

Inputs and outputs keep their types. Scaling of the input and the head behind the last convolution stay in FP32: they
cost nothing, and the probability keeps its fine steps near 0 and 1. Where that is not enough, whole blocks go back to
FP32 until the measured loss is small. On processors FP16 gains nothing: ONNX Runtime converts back around each node.

The conversion is our own because the common converters round every tensor between two nodes that are kept in FP32, the
probability among them: near 1 it would move in steps of 0.0005.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_all.wording.percentages import percent
from edge_all_calibration.quantizing.blocks import network_blocks
from edge_all_calibration.quantizing.scores import Score

__all__ = ["CPU_WARNING", "halve"]

CPU_WARNING = "FP16 gains nothing on a processor; it is for GPUs. Processors take INT8."
TARGET = Score(disagreement=0.002, difference=0.002)
"""What FP16 may differ from FP32 on calibration cells. InceptionV3 in full FP16 stays ten times under it."""


def halve(
    source: Path, target: Path, score: Callable[[Path], Score], progress: Callable[[str], None]
) -> tuple[Score, tuple[str, ...]]:
    """Make the FP16 network.

    Args:
        source: the FP32 network.
        target: where the FP16 network goes.
        score: compares a network file with FP32 on calibration cells.
        progress: told each step.

    Returns:
        Its score, and the blocks that stay in FP32 because the loss asked for it.
    """
    model = onnx.load(source)
    blocks, _ = network_blocks(model.graph)
    kept: list[str] = []
    # Early blocks first: what they lose, all others inherit.
    remaining = list(blocks)
    with tempfile.TemporaryDirectory(prefix="edge-all-fp16-") as scratch:
        attempt = Path(scratch) / "fp16.onnx"
        while True:
            inner = {node for block, nodes in blocks.items() if block not in kept for node in nodes}
            onnx.save(_halved(model, inner), attempt)
            result = score(attempt)
            progress(
                f"FP16 with {len(kept)} block(s) in FP32: {percent(result.disagreement, 2)} of the cells decided "
                "otherwise"
            )
            good = result.disagreement <= TARGET.disagreement and result.difference <= TARGET.difference
            if good or not remaining:
                shutil.copyfile(attempt, target)
                return result, tuple(kept)
            kept.append(remaining.pop(0))


def _halved(model: onnx.ModelProto, inner: set[str]) -> onnx.ModelProto:
    """A copy of a network in which the named nodes compute in FP16, with casts where the two precisions meet."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    half_tensors = {name for node in model.graph.node if node.name in inner for name in node.output}
    outputs = {output.name for output in model.graph.output}
    nodes: list[onnx.NodeProto] = []
    halved_weights: dict[str, onnx.TensorProto] = {}
    cast: set[str] = set()

    def in_half(name: str) -> str:
        if not name:
            return name
        if name in weights:
            values = numpy_helper.to_array(weights[name])
            halved_weights.setdefault(name, numpy_helper.from_array(values.astype(np.float16), f"{name}_fp16"))
            return f"{name}_fp16"
        if name in half_tensors:
            return f"{name}_fp16"
        return converted(name, f"{name}_fp16", TensorProto.FLOAT16)

    def in_full(name: str) -> str:
        # Under its old name, so that graph outputs and other readers need no change.
        return converted(f"{name}_fp16", name, TensorProto.FLOAT) if name in half_tensors else name

    def converted(name: str, result: str, kind: int) -> str:
        if result not in cast:
            cast.add(result)
            nodes.append(helper.make_node("Cast", [name], [result], f"edge_all_cast_{result}", to=kind))
        return result

    for original in model.graph.node:
        node = onnx.NodeProto()
        node.CopyFrom(original)
        if original.name in inner:
            node.input[:] = [in_half(name) for name in original.input]
            node.output[:] = [f"{name}_fp16" for name in original.output]
        else:
            node.input[:] = [in_full(name) for name in original.input]
        nodes.append(node)
    for name in sorted(outputs & half_tensors):
        in_full(name)

    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.value_info[:], result.graph.initializer[:]
    result.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | outputs
    result.graph.initializer.extend(
        tensor for tensor in [*weights.values(), *halved_weights.values()] if tensor.name in used
    )
    return onnx.shape_inference.infer_shapes(result)
