"""Can the sum of two 8-bit products overflow 16 bits? On processors without VNNI it then saturates, without a sign.

AVX2 and AVX-512 multiply unsigned activations by signed weights and add two neighbouring products in 16 bits
(``vpmaddubsw``). Which two are neighbours is the kernel's own affair, so any two weights of an output channel count,
and every code that an activation may take, seen or not.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

__all__ = ["LARGEST_SUM", "largest_pair_sums", "limit_codes"]

LARGEST_SUM = 2**15 - 1
"""What 16 bits hold; the smallest is -2**15."""
CODE_LIMIT = 129
"""Codes that weights of 8 bits may meet: 2 x 129 x 127 is 32766."""


def limit_codes(model: onnx.ModelProto) -> None:
    """Keep the activations under `CODE_LIMIT` wherever a convolution has weights too large for codes up to 255.

    Ranges alone cannot do it: they are stretched so that what calibration saw falls into the lower half of the codes,
    and a cell that it did not see may lie above. A Clip on the codes themselves costs nothing measurable (InceptionV3,
    112 px, batches of 8, one thread: 33.6 ms of processor time with and without).
    """
    graph = model.graph
    makers = _makers(graph)
    tensors = _tensors(graph)
    wide: dict[str, str] = {}
    for _, codes, weights in _quantised_convolutions(graph, makers, tensors):
        if _pair_sum(weights, 255) > LARGEST_SUM:
            wide[codes] = f"{codes}_limited"
    if not wide:
        return
    bounds = {"edge_all_lowest_code": 0, "edge_all_highest_code": CODE_LIMIT}
    graph.initializer.extend(numpy_helper.from_array(np.array(value, np.uint8), name) for name, value in bounds.items())
    nodes = []
    for node in graph.node:
        node.input[:] = [wide.get(name, name) for name in node.input]
        nodes.append(node)
        nodes.extend(
            helper.make_node("Clip", [name, *bounds], [wide[name]], f"{wide[name]}_clip")
            for name in node.output
            if name in wide
        )
    del graph.node[:]
    graph.node.extend(nodes)


def largest_pair_sums(model: onnx.ModelProto) -> dict[str, int]:
    """The largest sum of two products, without its sign, that any input can cause, by quantised convolution.

    Args:
        model: QDQ, activations ``uint8``, weights ``int8`` per output channel.
    """
    graph = model.graph
    makers = _makers(graph)
    tensors = _tensors(graph)
    return {
        name: _pair_sum(weights, _highest_code(codes, makers, tensors))
        for name, codes, weights in _quantised_convolutions(graph, makers, tensors)
    }


def _quantised_convolutions(
    graph: onnx.GraphProto, makers: dict[str, onnx.NodeProto], tensors: dict[str, NDArray[np.generic]]
) -> list[tuple[str, str, NDArray[np.int64]]]:
    """Name, tensor of activation codes, and weight codes ``int64 [channels, n]`` of each."""
    found = []
    for node in graph.node:
        activation, weight = (makers.get(name) for name in node.input[:2]) if node.op_type == "Conv" else (None, None)
        if activation is None or weight is None:
            continue
        if {activation.op_type, weight.op_type} == {"DequantizeLinear"} and weight.input[0] in tensors:
            values = tensors[weight.input[0]].astype(np.int64)
            found.append((node.name, activation.input[0], values.reshape(len(values), -1)))
    return found


def _pair_sum(weights: NDArray[np.int64], highest: int) -> int:
    """``highest`` times the two largest weights of one sign in one channel; a weight by itself counts alone."""
    largest = 0
    for signed in (weights, -weights):
        # Weights of the other sign only take away from a sum.
        ordered = np.sort(np.maximum(signed, 0), axis=1)
        largest = max(largest, int(ordered[:, -2:].sum(axis=1).max()))
    return largest * highest


def _highest_code(codes: str, makers: dict[str, onnx.NodeProto], tensors: dict[str, NDArray[np.generic]]) -> int:
    maker = makers.get(codes)
    if maker is not None and maker.op_type == "Clip" and maker.input[2] in tensors:
        return int(tensors[maker.input[2]].astype(np.int64))
    return 255


def _makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _tensors(graph: onnx.GraphProto) -> dict[str, NDArray[np.generic]]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
