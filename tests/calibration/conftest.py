"""A tiny convolutional network and schematic cells: everything but TensorFlow, in seconds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_all.model.card import ModelCard
from edge_all.preprocessing import PreprocessingSpec
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.releasing.release import CellParts, Release, build_release

SIZE = 32
CHANNELS = 8


def write_cells(file: Path, cells: LabelledCells) -> None:
    np.savez(file, crops=cells.crops, labels=cells.labels, groups=cells.groups, slides=cells.slides)


@pytest.fixture(scope="session")
def save_cells() -> Callable[[Path, LabelledCells], None]:
    """Write a cell set as `load_cells` reads it."""
    return write_cells


def draw_cells(groups: range, per_group: int = 12) -> LabelledCells:
    """Purple discs on pale ground; ALL cells have the larger ones, with an overlap, and every group its own stain."""
    generator = np.random.default_rng(groups.start)
    row, column = np.mgrid[0:SIZE, 0:SIZE]
    crops, labels, names = [], [], []
    for group in groups:
        stain = generator.normal(0, 8, 3)
        for _ in range(per_group):
            label = bool(generator.integers(2))
            radius = generator.normal(10.5 if label else 6.5, 1.6)
            disc = (row - SIZE / 2) ** 2 + (column - SIZE / 2) ** 2 < radius**2
            picture = np.where(disc[..., None], (105, 55, 140), (230, 222, 228)) + stain
            picture = picture + generator.normal(0, 6, (SIZE, SIZE, 3))
            crops.append(np.clip(picture, 0, 255).astype(np.uint8))
            labels.append(label)
            names.append(f"group {group:02d}")
    return LabelledCells(np.stack(crops), np.array(labels), np.array(names), np.array(names))


def write_network(file: Path, *, features: bool = True) -> Path:
    """Two convolutions, pooling and a logistic head that asks for much dark purple."""
    generator = np.random.default_rng(5)
    first = generator.normal(0, 0.05, (CHANNELS, 3, 3, 3)).astype(np.float32)
    first[0] += np.array([0.5, -1.0, 0.5], np.float32)[:, None, None] / 9
    second = generator.normal(0, 0.03, (CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    second[0, 0] += 1 / 9
    head = np.zeros((CHANNELS, 1), np.float32)
    head[0] = 60.0
    constants = {
        "scale": np.float32(1 / 255),
        "first": first,
        "first_bias": np.full(CHANNELS, -0.02, np.float32),
        "second": second,
        "second_bias": np.zeros(CHANNELS, np.float32),
        "head": head,
        "offset": np.array([-3.0], np.float32),
        "flat": np.array([-1], np.int64),
    }
    outputs = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["batch"])]
    if features:
        outputs.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", CHANNELS]))
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["float", "scale"], ["scaled"]),
            helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["planes", "first", "first_bias"], ["one"]),
            helper.make_node("Relu", ["one"], ["two"]),
            helper.make_node("MaxPool", ["two"], ["three"], kernel_shape=[2, 2], strides=[2, 2]),
            helper.make_node("Conv", ["three", "second", "second_bias"], ["four"]),
            helper.make_node("Relu", ["four"], ["maps"]),
            helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["features"]),
            helper.make_node("Gemm", ["features", "head", "offset"], ["logit"]),
            helper.make_node("Sigmoid", ["logit"], ["sigmoid"]),
            helper.make_node("Reshape", ["sigmoid", "flat"], ["probability"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])],
        outputs,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)
    return file


def make_card() -> ModelCard:
    return ModelCard(
        name="tiny",
        version="1.0",
        created="2026-01-01",
        architecture="two convolutions, for tests",
        classes=("non-ALL", "ALL"),
        positive_class="ALL",
        preprocessing=PreprocessingSpec(SIZE, 2.0),
        variants={},
    )


@pytest.fixture(scope="session")
def draw() -> Callable[..., LabelledCells]:
    """`draw_cells`, for tests that need their own."""
    return draw_cells


@pytest.fixture(scope="session")
def write() -> Callable[..., Path]:
    """`write_network`, for tests that need their own."""
    return write_network


@pytest.fixture(scope="session")
def card() -> ModelCard:
    """What is known of the tiny network before its release."""
    return make_card()


@pytest.fixture(scope="session")
def parts() -> CellParts:
    return CellParts(
        calibration=draw_cells(range(20, 30)), test=draw_cells(range(30, 40)), training=draw_cells(range(20))
    )


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("network") / "tiny.onnx")


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory, network: Path, parts: CellParts) -> tuple[Path, Release]:
    """A package with all three variants, and what the release said of them. Not to be changed."""
    folder = tmp_path_factory.mktemp("released")
    return folder, build_release(folder, network, make_card(), parts)
