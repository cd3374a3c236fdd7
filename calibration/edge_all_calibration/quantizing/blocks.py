"""Blocks of a convolutional network: the units that a precision variant keeps in float or not."""

from __future__ import annotations

import onnx

from edge_all_calibration.probability.out_of_distribution import CONDENSER

__all__ = ["INNER_OPERATORS", "network_blocks"]

INNER_OPERATORS = frozenset({"Conv", "Relu", "Clip", "MaxPool", "AveragePool", "Concat"})
"""What may be rounded: the convolutions, and what passes their results on without a matrix of its own."""


def network_blocks(graph: onnx.GraphProto) -> tuple[dict[str, list[str]], list[str]]:
    """Nodes to quantise by block in the order of the data, and the names of those that always stay in float.

    A block ends where branches join or the picture shrinks by a maximum; the first convolution, which sees the picture
    itself, is one of its own. What stays in float is the scaling of the
    input before the first convolution, and the head behind the last: it has a thousandth of the weights, and rounding
    it moves every probability.
    """
    depth: dict[str, int] = {}
    blocks: dict[str, list[str]] = {}
    outside: list[str] = []
    first = ""
    reached = _reached_from_convolutions(graph)
    for node in graph.node:
        before = max((depth.get(name, 0) for name in node.input), default=0)
        after = before + (node.op_type in ("Concat", "MaxPool"))
        depth.update(dict.fromkeys(node.output, after))
        inner = node.op_type == "Conv" or (
            node.op_type in INNER_OPERATORS
            and not node.name.startswith(CONDENSER)
            and any(name in reached for name in node.input)
        )
        if inner:
            first = first or node.output[0]
            alone = node.output[0] == first or (node.op_type in ("Relu", "Clip") and node.input[0] == first)
            blocks.setdefault("first convolution" if alone else f"block {before + 1}", []).append(node.name)
        else:
            outside.append(node.name)
    return blocks, outside


def _reached_from_convolutions(graph: onnx.GraphProto) -> set[str]:
    """Tensors that a convolution feeds through inner operators only."""
    reached: set[str] = set()
    for node in graph.node:
        if node.op_type == "Conv" or (node.op_type in INNER_OPERATORS and any(name in reached for name in node.input)):
            reached.update(node.output)
    return reached
