"""The trained network of outlines as ONNX."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import onnx
import tensorflow as tf
import tf2onnx

from edge_all.files.atomic import atomic_path
from edge_all.segmentation.outline_windows import CHANNELS, WINDOW
from edge_all_export.converting.onnx_export import OPSET

__all__ = ["write_onnx"]


def write_onnx(network: keras.Model, target: Path) -> None:
    """Write the network with the input ``window`` and the output ``cell``.

    Args:
        network: from `edge_all_export.outlines.unet.build_outline_network`.
        target: the file.
    """
    signature = [tf.TensorSpec((None, WINDOW, WINDOW, CHANNELS), tf.uint8, name="window")]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def run(window: Any) -> Any:  # noqa: ANN401 - TensorFlow carries no types
        return {"cell": network(window, training=False)}

    # tf2onnx reports each of its passes.
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    converted, _ = tf2onnx.convert.from_function(run, input_signature=signature, opset=OPSET)
    onnx.checker.check_model(converted, full_check=True)
    with atomic_path(target) as unfinished:
        onnx.save(converted, unfinished)
