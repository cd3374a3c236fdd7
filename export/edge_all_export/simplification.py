"""A graph as the exporter leaves it, made smaller without changing what it computes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import onnxruntime

__all__ = ["simplify"]

_ERRORS_ONLY = 3


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Fold constants and batch normalisation, drop what is computed for nothing.

    ONNX Runtime's basic optimisations do it: they use standard operators alone, so the result runs everywhere.
    """
    with tempfile.TemporaryDirectory(prefix="edge-all-simplify-") as scratch:
        before, after = Path(scratch) / "before.onnx", Path(scratch) / "after.onnx"
        onnx.save(model, before)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(after)
        onnxruntime.InferenceSession(before, options, providers=["CPUExecutionProvider"])
        simplified = onnx.load(after)
    # ONNX Runtime declares every domain that it knows; other tools warn of those they do not.
    used = {node.domain for node in simplified.graph.node}
    kept = [opset for opset in simplified.opset_import if opset.domain in used]
    del simplified.opset_import[:]
    simplified.opset_import.extend(kept)
    simplified.ir_version = model.ir_version
    return simplified
