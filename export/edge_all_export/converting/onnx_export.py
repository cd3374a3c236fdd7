"""A trained Keras network as one ONNX file with the contract's input and outputs.

tf2onnx converts a function with a named signature. It is the one way that worked for every kind of model and names
its outputs: converting the model object fails for Sequential models, and Keras's own export calls its output
``Identity:0``.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnx import numpy_helper

from edge_all.errors import ModelIncompatibleError, RuntimeSetupError, UsageError
from edge_all.session import open_session
from edge_all_export.converting.simplification import simplify

__all__ = ["INPUT_RANGES", "OPSET", "contract_network", "export_onnx"]

OPSET = 17
"""Runs in every ONNX Runtime from 1.13, in TensorRT 8.6 and OpenVINO 2023; nothing newer is needed here."""
OPSETS = range(13, 19)
"""From per-channel quantisation on, up to the newest that tf2onnx writes."""
OUTPUTS = ("probability", "features", "activation")
INPUT_RANGES: dict[str, tuple[float, float]] = {
    "0..255": (1.0, 0.0),
    "0..1": (1 / 255, 0.0),
    "-1..1": (1 / 127.5, -1.0),
}
"""Factor and offset that bring pixels into the range a network was trained with."""


def contract_network(network: keras.Model, *, input_range: str = "0..255") -> keras.Model:
    """A classifier with the contract's input and outputs.

    Args:
        network: functional or Sequential, from ``[batch, side, side, 3]`` to one sigmoid output or to two softmax
            outputs, of which the second is ALL; or one that has the contract's outputs already.
        input_range: the range of pixel values that the network expects; anything but ``0..255`` is scaled inside.

    Returns:
        Model from ``image`` ``uint8 [batch, side, side, 3]`` to a dictionary with ``probability`` ``[batch]`` and,
        where the layer before the last gives a vector, ``features`` ``[batch, d]``.

    Raises:
        ModelIncompatibleError: a network with another kind of input or output.
        UsageError: no such input range.
    """
    if input_range not in INPUT_RANGES:
        raise UsageError(f"There is no input range {input_range!r}.", f"Choose one of: {', '.join(INPUT_RANGES)}.")
    # Keras gives neither a subclassed model nor a Sequential one that was never built a graph of layers.
    if not getattr(network, "inputs", None):
        raise ModelIncompatibleError(
            f"The network {network.name} has no input of its own.",
            "Build it with keras.Input, as a functional or a Sequential model.",
        )
    # A Sequential model has no `output` before it was called with one.
    if (
        not isinstance(network, keras.Sequential)
        and isinstance(network.output, dict)
        and "probability" in network.output
    ):
        return network
    side = _input_side(network)
    outputs = network.outputs
    if len(outputs) != 1 or len(outputs[0].shape) != 2 or outputs[0].shape[1] not in (1, 2):
        raise ModelIncompatibleError(
            f"The network's outputs have the shapes {[tuple(output.shape) for output in outputs]}.",
            "It must end in one sigmoid or in a softmax over non-ALL and ALL.",
        )
    features = network.layers[-1].input
    has_features = not isinstance(features, list) and len(features.shape) == 2
    inner = keras.Model(network.inputs, [network.outputs[0], *([features] if has_features else [])])
    image = keras.Input((side, side, 3), dtype="uint8", name="image")
    factor, offset = INPUT_RANGES[input_range]
    pixels = keras.ops.cast(image, "float32") * factor + offset
    found = inner(pixels)
    named = {"probability": (found[0] if has_features else found)[:, -1]}
    if has_features:
        named["features"] = found[1]
    return keras.Model(image, named)


def export_onnx(network: keras.Model, target: Path, *, opset: int = OPSET) -> None:
    """Write a network with the contract's outputs as ONNX, simplified and checked.

    Args:
        network: from `contract_network` or `edge_all_export.network.inference_network`.
        target: the file.
        opset: version of the operator set.

    Raises:
        UsageError: an opset that cannot be written.
        RuntimeSetupError: Keras runs on another backend.
        ModelIncompatibleError: the result is no network of the contract, or this ONNX Runtime cannot run it.
    """
    if opset not in OPSETS:
        raise UsageError(
            f"Opset {opset} cannot be written.", f"Choose {OPSETS.start} to {OPSETS.stop - 1}; {OPSET} runs everywhere."
        )
    if keras.backend.backend() != "tensorflow":
        raise RuntimeSetupError(
            f"Keras runs on {keras.backend.backend()}, and the export goes through TensorFlow.",
            "Set KERAS_BACKEND=tensorflow for this command; models trained on any backend load there.",
        )
    side = _input_side(network)
    signature = [tf.TensorSpec((None, side, side, 3), tf.uint8, name="image")]

    @tf.function(input_signature=signature, autograph=False)  # type: ignore[untyped-decorator]
    def run(image: Any) -> Any:  # noqa: ANN401 - TensorFlow carries no types
        return network(image, training=False)

    # tf2onnx reports each of its passes.
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    converted, _ = tf2onnx.convert.from_function(run, input_signature=signature, opset=opset)
    _require_contract(converted)
    simplified = simplify(converted)
    _settle_resizes(simplified)
    _name_axes(simplified, network)
    inferred = onnx.shape_inference.infer_shapes(simplified, strict_mode=True, data_prop=True)
    onnx.save(inferred, target)
    onnx.checker.check_model(target, full_check=True)
    open_session(target, device="cpu", threads=1)


def _input_side(network: keras.Model) -> int:
    shapes = [tuple(one.shape) for one in network.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != shapes[0][2] or shapes[0][3] != 3 or not shapes[0][1]:
        raise ModelIncompatibleError(
            f"The network's inputs have the shapes {shapes}.", "It must take one square RGB picture of fixed size."
        )
    return int(shapes[0][1])


def _require_contract(model: onnx.ModelProto) -> None:
    inputs = [one.name for one in model.graph.input]
    # A weight that Keras lost track of becomes a second input, without a word.
    if inputs != ["image"]:
        raise ModelIncompatibleError(
            f"The exported network has the inputs {inputs}.",
            "A weight is used outside its layer; use it inside a layer of its own.",
        )
    outputs = {one.name for one in model.graph.output}
    if "probability" not in outputs or not outputs <= set(OUTPUTS):
        raise ModelIncompatibleError(
            f"The exported network has the outputs {sorted(outputs)}.", f"It may have: {', '.join(OUTPUTS)}."
        )


def _settle_resizes(model: onnx.ModelProto) -> None:
    """Raise every resizing scale by a millionth.

    The output's size is the input's times the scale, rounded down: 3 x 2.3333333 is 7 or 6, as the arithmetic has it,
    and runtimes differ. A millionth moves no pixel and leaves no doubt.
    """
    scales = {node.input[2] for node in model.graph.node if node.op_type == "Resize" and len(node.input) > 2}
    for tensor in model.graph.initializer:
        if tensor.name in scales:
            values = numpy_helper.to_array(tensor)
            settled = np.where(values == 1, values, values * (1 + 1e-6)).astype(values.dtype)
            tensor.CopyFrom(numpy_helper.from_array(settled, tensor.name))


def _name_axes(model: onnx.ModelProto, network: keras.Model) -> None:
    """Call the batch axis ``batch`` everywhere, and give every other axis of the outputs its size."""
    shapes = {name: tuple(tensor.shape) for name, tensor in network.output.items()}
    for value in (*model.graph.input, *model.graph.output):
        dimensions = value.type.tensor_type.shape.dim
        known = shapes.get(value.name)
        for index, dimension in enumerate(dimensions):
            if index == 0:
                dimension.dim_param = "batch"
            elif known is not None and known[index] is not None:
                dimension.dim_value = int(known[index])
    # Inner shapes still carry the converter's names of the axis; they are inferred anew.
    del model.graph.value_info[:]
