"""A tiny network with the contract's inputs and outputs, in a valid model package.

It is made here, in code, in a few milliseconds. Its probability is a logistic function of how much dark purple
(stained chromatin) the crop holds, so a crop with a large nucleus is called ALL and one without is not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_all.model.card import ModelCard, Thresholds, Variant, VariantName
from edge_all.model.golden import golden_crops
from edge_all.model.package import write_card
from edge_all.preprocessing import PreprocessingSpec

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from edge_all.results import Segmentation

CHANNELS = 8
SLOPE = 120.0
MIDDLE = 0.03
"""Mean purple at which the probability is one half: of rendered cells, half of the blasts lie above and all
neutrophils below."""


def _kernels() -> tuple[np.ndarray, np.ndarray]:
    """Eight 3x3 colour detectors on RGB in 0..1: weights ``[8, 3, 3, 3]`` and biases ``[8]``."""
    colour = np.array(
        [
            [0.5, -1.0, 0.5],  # purple: red and blue over green
            [-1 / 3, -1 / 3, -1 / 3],  # dark
            [1.0, 0.0, -1.0],  # reddish
            [1 / 3, 1 / 3, 1 / 3],  # pale
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, 0.0],
        ]
    )
    weights = np.repeat(np.repeat(colour[:, :, None, None] / 9, 3, 2), 3, 3)
    weights[7, 1] = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]) / 8  # grain
    biases = np.array([-0.12, 0.55, 0.0, -0.75, 0.0, 0.0, 0.0, 0.0])
    return weights.astype(np.float32), biases.astype(np.float32)


def tiny_network(
    path: Path,
    input_size: int,
    metadata: dict[str, str],
    *,
    batch_axis: str | int = "batch",
    ending: str = "Sigmoid",
    image: str = "image",
    probability: str = "probability",
) -> None:
    """Write the network: image uint8 ``[batch, s, s, 3]`` -> probability, features, activation.

    The options make networks that break the contract: a fixed batch, another last operation, other names.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights, biases = _kernels()
    head = np.zeros((CHANNELS, 1), np.float32)
    head[0] = SLOPE
    side = (input_size - 3) // 2 + 1
    initialisers = {
        "scale": np.float32(1 / 255),
        "weights": weights,
        "biases": biases,
        "head": head,
        "offset": np.array([-SLOPE * MIDDLE], np.float32),
        "class_map": head.T[:, :, None, None].copy(),
        "flat": np.array([-1], np.int64),
        "flat_map": np.array([-1, side, side], np.int64),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Cast", [image], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["float", "scale"], ["scaled"]),
            helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["planes", "weights", "biases"], ["detected"], strides=[2, 2]),
            helper.make_node("Relu", ["detected"], ["maps"]),
            helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["features"]),
            helper.make_node("Gemm", ["features", "head", "offset"], ["logit"]),
            helper.make_node(ending, ["logit"], ["sigmoid"]),
            helper.make_node("Reshape", ["sigmoid", "flat"], [probability]),
            helper.make_node("Conv", ["maps", "class_map"], ["class_activation"]),
            helper.make_node("Reshape", ["class_activation", "flat_map"], ["activation"]),
        ],
        "tiny",
        [helper.make_tensor_value_info(image, TensorProto.UINT8, [batch_axis, input_size, input_size, 3])],
        [
            helper.make_tensor_value_info(probability, TensorProto.FLOAT, [batch_axis]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, [batch_axis, CHANNELS]),
            helper.make_tensor_value_info("activation", TensorProto.FLOAT, [batch_axis, side, side]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initialisers.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())


def tiny_outputs(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the network must answer, computed plainly: probabilities ``[n]`` and features ``[n, 8]``, float64."""
    weights, biases = _kernels()
    scaled = crops.astype(np.float64) / 255
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (3, 3), axis=(1, 2))[:, ::2, ::2]
    maps = np.maximum(np.einsum("nhwcij,kcij->nhwk", windows, weights.astype(np.float64)) + biases, 0)
    features = maps.mean(axis=(1, 2))
    return 1 / (1 + np.exp(-SLOPE * (features[:, 0] - MIDDLE))), features


def make_tiny_package(
    folder: Path,
    *,
    name: str = "tiny",
    version: str = "1.0",
    input_size: int = 32,
    factor: float = 1.75,
    background: str = "keep",
    white_point: str = "camera",
    orientation: str = "field",
    variants: Sequence[VariantName] = ("fp32",),
    temperature: float = 1.0,
    non_all_below: float = 0.35,
    all_from: float = 0.65,
    out_of_distribution: float | None = 25.0,
) -> Path:
    """Write a valid package into `folder` and return it; every variant holds the same arithmetic."""
    folder.mkdir(parents=True)
    thresholds = Thresholds(
        non_all_below=non_all_below,
        all_from=all_from,
        out_of_distribution=out_of_distribution,
        false_positive_rate=0.05,
    )
    statistics = None
    if out_of_distribution is not None:
        # Wide enough for any stained smear: only colours that no smear has lie outside.
        deviation = np.array([0.15, 0.2, 0.15, 0.25, 0.4, 0.4, 0.4, 0.2])
        np.savez(folder / "features.npz", mean=np.full(CHANNELS, 0.1), precision=np.diag(deviation**-2.0))
        digest = hashlib.sha256((folder / "features.npz").read_bytes()).hexdigest()
        statistics = {"file": "features.npz", "sha256": digest}
    golden = tiny_outputs(golden_crops(input_size))[0]
    card = ModelCard(
        name=name,
        version=version,
        created="2026-01-01",
        architecture="eight colour detectors, for tests",
        classes=("non-ALL", "ALL"),
        positive_class="ALL",
        preprocessing=PreprocessingSpec(input_size, factor, background, white_point, orientation),  # type: ignore[arg-type]
        variants={},
        feature_statistics=statistics,
        evaluation={"note": "made for tests; says nothing about cells"},
        limitations=("Made for tests.",),
    )
    for variant in variants:
        file = folder / f"model.{variant}.onnx"
        tiny_network(file, input_size, card.network_metadata(variant))
        card.variants[variant] = Variant(
            file=file.name,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            temperature=temperature,
            thresholds=thresholds,
            golden=[float(value) for value in golden],
        )
    write_card(folder, card)
    return folder


@pytest.fixture
def tiny_package_factory(tmp_path: Path) -> Callable[..., Path]:
    """``make_tiny_package`` in a folder of its own a call; options as there."""
    made: list[Path] = []

    def make(**options: object) -> Path:
        made.append(make_tiny_package(tmp_path / f"package{len(made)}", **options))  # type: ignore[arg-type]
        return made[-1]

    return make


@pytest.fixture
def tiny_package(tiny_package_factory: Callable[..., Path]) -> Path:
    """Folder of a valid model package with a tiny network (FP32 only)."""
    return tiny_package_factory()


@pytest.fixture(scope="session", name="make_tiny_package")
def make_tiny_package_function() -> Callable[..., Path]:
    """The function ``make_tiny_package``."""
    return make_tiny_package


@pytest.fixture(scope="session", name="tiny_network")
def tiny_network_function() -> Callable[..., None]:
    """The function ``tiny_network``: tests cannot import a conftest."""
    return tiny_network


@pytest.fixture(scope="session", name="tiny_outputs")
def tiny_outputs_function() -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """The function ``tiny_outputs``."""
    return tiny_outputs


@pytest.fixture(scope="session")
def without_activation() -> Callable[[Path], None]:
    """Take the activation map from a network file; its card needs ``edit_card`` afterwards."""

    def remove(file: Path) -> None:
        import onnx

        model = onnx.load(file)
        kept = [output for output in model.graph.output if output.name != "activation"]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        file.write_bytes(model.SerializeToString())

    return remove


@pytest.fixture(scope="session")
def edit_card() -> Callable[[Path, Callable[[dict[str, Any]], object]], None]:
    """Change the card of a package as a program could that writes wrong cards with right checksums.

    Files that were changed keep right hashes too.
    """

    def edit(folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None) -> None:
        record = json.loads((folder / "card.json").read_text())
        record.pop("card_sha256")
        for block in (*record["variants"].values(), record["feature_statistics"]):
            if block is not None:
                block["sha256"] = hashlib.sha256((folder / block["file"]).read_bytes()).hexdigest()
        change(record)
        record["card_sha256"] = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        (folder / "card.json").write_text(json.dumps(record))

    return edit


@pytest.fixture(scope="session")
def found_before() -> dict[tuple[object, ...], Segmentation]:
    """What `cells_found_once` found."""
    return {}


@pytest.fixture
def cells_found_once(found_before: dict[tuple[object, ...], Segmentation], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the cells of a field be found once: 50 ms each time, in tests of what becomes of them.

    That the same pixels give the same cells, alone, in a stream and on several threads, test_api_screener.py and
    test_screening.py show.
    """
    from edge_all.screening import pixel_scale

    find = pixel_scale.segment

    def segment(pixels: np.ndarray, **options: Any) -> Segmentation:  # noqa: ANN401 - handed through
        known = (options.get("microns_per_pixel"), options["outlines"], pixels.shape, pixels.tobytes())
        if known not in found_before:
            found_before[known] = find(pixels, **options)
        return found_before[known]

    monkeypatch.setattr(pixel_scale, "segment", segment)


@pytest.fixture
def devices_tried_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doctor try devices in this process: that it does so in another one, test_doctor.py shows."""
    from edge_all.doctor.probe import _attempt

    monkeypatch.setattr("edge_all.doctor.examination.probe", _attempt)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium of the distribution, for tests marked ``browser``."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = os.environ.get("EDGE_ALL_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        pytest.skip("no Chromium; set EDGE_ALL_CHROMIUM")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
