"""The operator sets that a network declares."""

from __future__ import annotations

import onnx

__all__ = ["drop_unused_operator_sets"]


def drop_unused_operator_sets(model: onnx.ModelProto) -> None:
    """Declare only the operator sets that a node uses.

    ONNX Runtime, when it writes a network, declares every set that it knows; other tools warn of those they do not.
    """
    used = {node.domain for node in model.graph.node}
    kept = [operators for operators in model.opset_import if operators.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
