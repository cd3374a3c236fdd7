"""What training leaves behind, opened for export: a run folder, a Keras model, or saved weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras

from edge_all.errors import ModelIncompatibleError, UsageError
from edge_all.wording.foreign_errors import first_line
from edge_all_export.converting.onnx_export import contract_network
from edge_all_export.network import BACKBONE, architecture_of, build_network, inference_network
from edge_all_export.run_folder import trained_file

__all__ = ["TrainedNetwork", "open_trained"]

WEIGHTS_SUFFIX = ".weights.h5"
_UNREADABLE = {
    ".keras": "If it has a Lambda layer or layers of your own, take them out (layers.Rescaling scales pixels) and save "
    "it again, or export it to ONNX where it was made, and use `edge-all wrap`, as for one that a newer Keras saved. "
    "If it is damaged, copy it again."
}
"""What to do about a file that Keras cannot read, by its suffix; of any other kind it has to be saved anew."""


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network that is ready to be exported.

    Attributes:
        network: with the contract's input and outputs.
        architecture: for the card.
        input_size: side of its input in pixels.
    """

    network: keras.Model
    architecture: str
    input_size: int


def open_trained(source: Path, *, input_size: int | None = None, input_range: str = "0..255") -> TrainedNetwork:
    """Open what training left behind.

    Args:
        source: a run folder of `edge-all train`, a ``.keras`` model, or a ``.weights.h5`` file of the project's own
            InceptionV3.
        input_size: side of the input in pixels; only weights do not know it.
        input_range: see `edge_all_export.converting.onnx_export.contract_network`; only foreign models need it.

    Raises:
        InputNotFoundError: nothing is there.
        ModelIncompatibleError: no Keras model, or weights of another architecture.
        UsageError: weights without an input size.
    """
    file = trained_file(source)
    network = _from_weights(file, input_size) if file.name.endswith(WEIGHTS_SUFFIX) else _from_model(file)
    _compute_in_float32(network)
    if BACKBONE in {layer.name for layer in network.layers}:
        return TrainedNetwork(inference_network(network), architecture_of(network), int(network.input_shape[1]))
    exported = contract_network(network, input_range=input_range)
    return TrainedNetwork(exported, architecture_of(network), int(exported.inputs[0].shape[1]))


def _from_model(file: Path) -> keras.Model:
    try:
        return keras.saving.load_model(file, compile=False)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise ModelIncompatibleError(
            f"{file} is no Keras model that this version can read ({first_line(error)}).",
            _UNREADABLE.get(file.suffix, "Save it with Keras 3 as a .keras file."),
        ) from error


def _from_weights(file: Path, input_size: int | None) -> keras.Model:
    if input_size is None:
        raise UsageError(f"{file} holds weights alone.", "Say for which input with --input-size.")
    network = build_network(input_size, "none")
    try:
        network.load_weights(file)
    except (ValueError, OSError, KeyError) as error:
        raise ModelIncompatibleError(
            f"The weights in {file} do not match the project's InceptionV3 ({first_line(error)}).",
            "Export the whole model as a .keras file instead.",
        ) from error
    return network


def _compute_in_float32(network: keras.Model) -> None:
    """Undo mixed precision: it is a matter of training, and ONNX Runtime has no bfloat16 for processors."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            _compute_in_float32(layer)
        layer.dtype_policy = keras.DTypePolicy("float32")
