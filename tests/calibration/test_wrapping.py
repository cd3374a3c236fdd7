from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_all.classification.classifier import Classifier
from edge_all.errors import InputNotFoundError, ModelIncompatibleError, UsageError
from edge_all.model.package import load_package
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.quantizing.inference import run_network
from edge_all_calibration.releasing.publishing import PackageName, Publication
from edge_all_calibration.releasing.release import CellParts, ReleasePlan
from edge_all_calibration.releasing.wrapping import UNKNOWN_TRAINING, Wrapping, wrap_network, wrap_package

SIDE = 32
KERNEL = np.zeros((4, 3, 3, 3), np.float32)
KERNEL[0] = np.array([0.5, -1.0, 0.5], np.float32)[:, None, None] / 9
HEAD = np.array([[-15.0, 15.0], [0, 0], [0, 0], [0, 0]], np.float32)


def foreign(
    file: Path, *, channels_first: bool = True, classes: int = 2, ending: str | None = "Softmax", batch: str | int = "n"
) -> Path:
    """Somebody's classifier: its own names (``image`` inside), float input, logits or probabilities of two classes."""
    shape = [batch, 3, SIDE, SIDE] if channels_first else [batch, SIDE, SIDE, 3]
    nodes = [
        *([] if channels_first else [helper.make_node("Transpose", ["x"], ["image"], perm=[0, 3, 1, 2])]),
        helper.make_node("Conv", ["x" if channels_first else "image", "kernel"], ["maps"]),
        helper.make_node("Relu", ["maps"], ["probability"]),
        helper.make_node("GlobalAveragePool", ["probability"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["y" if ending is None else "logits"]),
    ]
    if ending is not None:
        nodes.append(helper.make_node(ending, ["logits"], ["y"]))
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(KERNEL, "kernel"), numpy_helper.from_array(HEAD[:, -classes:].copy(), "head")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), file)
    return file


def expected(crops: np.ndarray, wrapping: Wrapping, classes: int) -> np.ndarray:
    """Its probability of ALL, computed plainly."""
    scaled = (crops.astype(np.float64) / 255 - wrapping.mean) / wrapping.deviation
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (3, 3), axis=(1, 2))
    pooled = np.maximum(np.einsum("nhwcij,kcij->nhwk", windows, KERNEL), 0).mean(axis=(1, 2))
    logits = pooled @ HEAD[:, -classes:]
    if classes == 1:
        about_all = 1 / (1 + np.exp(-logits[:, 0]))
        return about_all if wrapping.positive else 1 - about_all
    shares = np.exp(logits)
    return shares[:, wrapping.positive] / shares.sum(axis=1)


@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize(
    ("classes", "ending", "positive"),
    [(2, "Softmax", 1), (2, None, 0), (1, "Sigmoid", 1), (1, None, 1), (1, "Sigmoid", 0)],
)
def test_a_foreign_network_keeps_its_answers(
    tmp_path: Path, parts: CellParts, channels_first: bool, classes: int, ending: str | None, positive: int
) -> None:
    wrapping = Wrapping(
        (0.4, 0.5, 0.3), (0.2, 0.25, 0.3), outputs="logits" if ending is None else "probabilities", positive=positive
    )
    source = foreign(tmp_path / "a.onnx", channels_first=channels_first, classes=classes, ending=ending)
    assert wrap_network(source, tmp_path / "b.onnx", wrapping) == SIDE
    found = run_network(tmp_path / "b.onnx", parts.test.crops[:9]).probability
    assert np.allclose(found, expected(parts.test.crops[:9], wrapping, classes), atol=1e-5)


def test_what_cannot_be_wrapped_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError):
        wrap_network(tmp_path / "none.onnx", tmp_path / "b.onnx", Wrapping())
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(ModelIncompatibleError, match="no ONNX network"):
        wrap_network(tmp_path / "text.onnx", tmp_path / "b.onnx", Wrapping())
    with pytest.raises(UsageError, match="none of them number 5"):
        wrap_network(foreign(tmp_path / "a.onnx"), tmp_path / "b.onnx", Wrapping(positive=5))
    with pytest.raises(UsageError, match="deviation"):
        Wrapping(deviation=(1.0, 0.0, 1.0))


def test_an_opset_that_the_runtime_cannot_run_is_refused(tmp_path: Path) -> None:
    model = onnx.load(foreign(tmp_path / "a.onnx"))
    model.opset_import[0].version = 9999
    (tmp_path / "new.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelIncompatibleError):
        wrap_network(tmp_path / "new.onnx", tmp_path / "b.onnx", Wrapping())


def test_a_wrapped_network_becomes_a_package(
    tmp_path: Path, draw: Callable[..., LabelledCells], parts: CellParts, save_cells: Callable[..., None]
) -> None:
    save_cells(tmp_path / "calibration.npz", parts.calibration)
    save_cells(tmp_path / "test.npz", parts.test)
    said: list[str] = []
    wrap_package(
        foreign(tmp_path / "theirs.onnx"),
        Wrapping(),
        (tmp_path / "calibration.npz", tmp_path / "test.npz"),
        Publication(tmp_path / "package", PackageName("theirs", "2.0")),
        plan=ReleasePlan(("fp32", "int8")),
        skipped=lambda path, reason: said.append(f"{path} {reason}"),
        progress=said.append,
    )
    package = load_package(tmp_path / "package")
    assert package.card.limitations == (UNKNOWN_TRAINING,)
    assert (package.card.name, package.card.version) == ("theirs", "2.0")
    unseen = draw(range(50, 54))
    judged = Classifier(package, variant="fp32", device="cpu").judge(unseen.crops)
    right = np.array([one.label == "ALL" for one in judged]) == unseen.labels
    assert right.mean() > 0.7
