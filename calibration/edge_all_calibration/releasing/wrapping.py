"""A user's own ONNX classifier, dressed as the contract asks: uint8 picture in, probability of ALL out.

Scaling goes into the graph, in front; the choice of the class goes behind. What lies between is left as it is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge_all.errors import InputNotFoundError, ModelIncompatibleError, UsageError
from edge_all.model.card import ModelCard
from edge_all.preprocessing import Background, PreprocessingSpec
from edge_all.session import open_session
from edge_all.wording.foreign_errors import first_line
from edge_all_calibration.labelled_cells.cell_folder import read_cells
from edge_all_calibration.releasing.publishing import Publication
from edge_all_calibration.releasing.release import CellParts, Release, ReleasePlan, build_release

__all__ = ["Wrapping", "wrap_network", "wrap_package"]

PREFIX = "edge_all_wrap_"
UNKNOWN_TRAINING = (
    "What this network was trained on is not known to edge-all. If the cells given here, or others of their patients, "
    "were among it, all figures flatter and the thresholds are too sharp."
)


@dataclass(frozen=True, slots=True)
class Wrapping:
    """How a foreign network is to be read.

    Attributes:
        mean: subtracted from each channel, red first, after the division by 255.
        deviation: divides each channel after that.
        outputs: whether the network ends in ``probabilities`` or in ``logits``.
        positive: index of ALL among its outputs; with a single output, 1 says that it is about ALL and 0 that it is
            about non-ALL.
        factor: side of the crops that it was made for, as a multiple of the nucleus.
        background: whether neighbours are kept in them, or whitened.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)
    outputs: Literal["probabilities", "logits"] = "probabilities"
    positive: int = 1
    factor: float = 2.0
    background: Background = "keep"

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.deviation) != 3 or min(self.deviation) <= 0:
            raise UsageError("A mean and a positive deviation are needed for each of three channels.", "Give R,G,B.")


def wrap_network(source: Path, target: Path, wrapping: Wrapping) -> int:
    """Write a foreign classifier with the contract's input and output.

    Args:
        source: ONNX file with one picture as input, ``[batch, 3, side, side]`` or ``[batch, side, side, 3]``, float32
            or uint8, and one output ``[batch]``, ``[batch, 1]`` or ``[batch, classes]``.
        target: the file to write.
        wrapping: how it is to be read.

    Returns:
        Side of its input in pixels.

    Raises:
        InputNotFoundError: no such file.
        ModelIncompatibleError: no ONNX file, or a network of another kind.
    """
    model = _read(source)
    graph = model.graph
    taken = _input_of(graph, source)
    width = _output_width(graph, source)
    classes = max(width, 2)
    if not 0 <= wrapping.positive < classes:
        raise UsageError(
            f"The network has {classes} classes, none of them number {wrapping.positive}.", "Count from 0."
        )
    _prefix(graph, taken.name, graph.output[0].name)
    before = _scaling(wrapping, f"{PREFIX}inner_input", taken)
    after = _choice(wrapping, f"{PREFIX}inner_output", width)
    nodes = [*before[0], *graph.node, *after[0]]
    del graph.node[:], graph.input[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in {**before[1], **after[1]}.items())
    graph.input.append(helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", taken.side, taken.side, 3]))
    graph.output.append(helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"]))
    onnx.save(model, target)
    _require_any_number_of_pictures(target, source, taken.side)
    return taken.side


def wrap_package(
    source: Path,
    wrapping: Wrapping,
    cells: tuple[Path, Path],
    publication: Publication,
    *,
    plan: ReleasePlan,
    skipped: Callable[[Path, str], None],
    progress: Callable[[str], None],
) -> Release:
    """Publish a foreign classifier as a model package.

    Args:
        source: its ONNX file.
        wrapping: how it is to be read.
        cells: labelled cells for calibration and for the gate, as `cell_folder.read_cells` reads.
        publication: where the package goes, and under which name.
        plan: what to make, and by which measures.
        skipped: told of each image that could not be used, and why.
        progress: told each step.

    Raises:
        EdgeAllError: as `wrap_network`, `read_cells`, `build_release` and `published_folder` do.
    """
    with publication.folder() as stage, tempfile.TemporaryDirectory(prefix="edge-all-") as scratch:
        progress("Wrapping the network")
        side = wrap_network(source, Path(scratch) / "network.onnx", wrapping)
        spec = PreprocessingSpec(side, wrapping.factor, wrapping.background)
        progress("Cutting the cells")
        calibration, test = (read_cells(one, spec, skipped) for one in cells)
        card = ModelCard(
            name=publication.named.name,
            version=publication.named.version,
            created="",
            architecture=f"foreign network, {source.name}",
            classes=("non-ALL", "ALL"),
            positive_class="ALL",
            preprocessing=spec,
            variants={},
            training={"source": "a foreign network; see its author"},
            limitations=(UNKNOWN_TRAINING,),
        )
        parts = CellParts(calibration, test)
        return build_release(stage, Path(scratch) / "network.onnx", card, parts, plan, progress=progress)


def _read(source: Path) -> onnx.ModelProto:
    if not source.is_file():
        raise InputNotFoundError(f"There is no network {source}.", "Check the path.")
    try:
        model = onnx.load(source)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf raises kinds that differ from version to version
        raise ModelIncompatibleError(
            f"{source} is no ONNX network ({first_line(error)}).", "Give a file that onnx.checker accepts."
        ) from error
    return model


@dataclass(frozen=True, slots=True)
class _Input:
    """A network's input: a square picture, ``[batch, 3, side, side]`` where its channels come first."""

    name: str
    side: int
    kind: int
    """Of its numbers, as ``TensorProto`` counts them."""
    channels_first: bool


def _input_of(graph: onnx.GraphProto, source: Path) -> _Input:
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [one for one in graph.input if one.name not in weights]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ModelIncompatibleError(
            f"{source} has {len(inputs)} inputs and {len(graph.output)} outputs.", "It must have one of each."
        )
    shape = [axis.dim_value for axis in inputs[0].type.tensor_type.shape.dim]
    channels_first = len(shape) == 4 and shape[1] == 3
    side = shape[2] if len(shape) == 4 else 0
    square = shape[2:] == [side, side] if channels_first else shape[1:] == [side, side, 3]
    kind = inputs[0].type.tensor_type.elem_type
    if not side or not square or kind not in (TensorProto.FLOAT, TensorProto.UINT8):
        raise ModelIncompatibleError(
            f"The input of {source} has the shape {shape} and type {TensorProto.DataType.Name(kind)}.",
            "It must be a square RGB picture of fixed size, float32 or uint8.",
        )
    return _Input(inputs[0].name, side, kind, channels_first)


def _require_any_number_of_pictures(wrapped: Path, source: Path, side: int) -> None:
    """Run a wrapped network with two pictures and three: with a fixed batch it would run one of them at most."""
    try:
        onnx.checker.check_model(wrapped, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelIncompatibleError(
            f"{source} does not take any number of pictures ({first_line(error)}).",
            "Export it with a dynamic batch axis.",
        ) from error
    session = open_session(wrapped, device="cpu")
    for count in (2, 3):
        found = session.run(np.zeros((count, side, side, 3), np.uint8))["probability"]
        if found.shape != (count,):
            raise ModelIncompatibleError(f"{source} answers {found.shape} to {count} pictures.", "Export it again.")


def _output_width(graph: onnx.GraphProto, source: Path) -> int:
    axes = graph.output[0].type.tensor_type.shape.dim
    if len(axes) == 1:
        return 1
    if len(axes) != 2 or not axes[1].dim_value:
        raise ModelIncompatibleError(
            f"The output of {source} has {len(axes)} axes, or no fixed number of classes.",
            "It must be [batch] or [batch, classes].",
        )
    return int(axes[1].dim_value)


def _prefix(graph: onnx.GraphProto, image: str, answer: str) -> None:
    """Rename the network's own input and output, so that the contract's names are free; name every node."""
    names = {image: f"{PREFIX}inner_input", answer: f"{PREFIX}inner_output"}
    taken = {"image": f"{PREFIX}taken_image", "probability": f"{PREFIX}taken_probability"}
    renamed = {**taken, **names}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for tensor in graph.initializer:
        tensor.name = renamed.get(tensor.name, tensor.name)


def _scaling(wrapping: Wrapping, result: str, taken: _Input) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    deviation = np.array(wrapping.deviation, np.float64)
    constants = {
        f"{PREFIX}factor": (1 / 255 / deviation).astype(np.float32),
        f"{PREFIX}offset": (-np.array(wrapping.mean) / deviation).astype(np.float32),
    }
    steps: list[tuple[str, list[str], dict[str, object]]] = []
    if taken.kind == TensorProto.FLOAT:
        steps = [
            ("Cast", [], {"to": TensorProto.FLOAT}),
            ("Mul", [f"{PREFIX}factor"], {}),
            ("Add", [f"{PREFIX}offset"], {}),
        ]
    else:
        # It scales by itself.
        constants = {}
    if taken.channels_first:
        steps.append(("Transpose", [], {"perm": [0, 3, 1, 2]}))
    return _chain("image", result, steps or [("Identity", [], {})], "before"), constants


def _choice(wrapping: Wrapping, answer: str, width: int) -> tuple[list[onnx.NodeProto], dict[str, np.ndarray]]:
    steps: list[tuple[str, list[str], dict[str, object]]] = []
    constants: dict[str, np.ndarray] = {f"{PREFIX}flat": np.array([-1], np.int64)}
    if wrapping.outputs == "logits":
        steps.append(("Softmax", [], {"axis": 1}) if width > 1 else ("Sigmoid", [], {}))
    if width > 1:
        steps.append(("Gather", [f"{PREFIX}class"], {"axis": 1}))
        constants[f"{PREFIX}class"] = np.array([wrapping.positive], np.int64)
    elif wrapping.positive == 0:
        # One minus it, by operators that take a value in front.
        steps += [("Neg", [], {}), ("Add", [f"{PREFIX}one"], {})]
        constants[f"{PREFIX}one"] = np.ones(1, np.float32)
    steps.append(("Reshape", [f"{PREFIX}flat"], {}))
    return _chain(answer, "probability", steps, "after"), constants


def _chain(
    start: str, end: str, steps: list[tuple[str, list[str], dict[str, object]]], part: str
) -> list[onnx.NodeProto]:
    nodes = []
    for index, (operator, more, attributes) in enumerate(steps):
        name = f"{PREFIX}{part}_{index}"
        result = end if index == len(steps) - 1 else name
        nodes.append(helper.make_node(operator, [start, *more], [result], f"{name}_node", **attributes))
        start = result
    return nodes
