"""Keras to ONNX; needs TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_all.errors import InputError, InputNotFoundError, ModelIncompatibleError, UsageError
from edge_all.session import open_session

if TYPE_CHECKING:
    import keras

pytestmark = [
    pytest.mark.training,
    # TensorFlow and its companions warn of one another.
    pytest.mark.filterwarnings("default"),
]


def functional(outputs: int = 2) -> keras.Model:
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((24, 24, 3))
    maps = layers.Conv2D(6, 3, use_bias=False)(image)
    maps = layers.BatchNormalization()(maps)
    maps = layers.Activation("relu")(maps)
    features = layers.GlobalAveragePooling2D()(maps)
    return keras.Model(image, layers.Dense(outputs, activation="softmax" if outputs > 1 else "sigmoid")(features))


def sequential() -> keras.Model:
    import keras
    from keras import layers

    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((24, 24, 3)),
            layers.Conv2D(6, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )


def pictures(side: int, count: int = 9) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["functional", "one output", "sequential"])
@pytest.mark.parametrize("input_range", ["0..255", "-1..1"])
def test_every_kind_of_model_keeps_its_answers(tmp_path: Path, kind: str, input_range: str) -> None:
    from edge_all_export.converting.onnx_export import contract_network, export_onnx
    from edge_all_export.converting.parity import PARITY_GOAL, measure_parity

    model = {"functional": functional, "one output": lambda: functional(1), "sequential": sequential}[kind]()
    network = contract_network(model, input_range=input_range)
    export_onnx(network, tmp_path / "model.onnx")
    parity = measure_parity(network, tmp_path / "model.onnx", pictures(24))
    assert parity["cells"] == 9
    assert parity["label_flips"] == 0
    assert parity["max_abs_difference"]["probability"] <= PARITY_GOAL
    session = open_session(tmp_path / "model.onnx", device="cpu")
    assert set(session.outputs) == {"probability", "features"}
    # By the model itself, not by the wrapped one: the last output is ALL, pixels are scaled as asked.
    scaled = pictures(24).astype(np.float32) * (1 / 127.5 if input_range == "-1..1" else 1)
    expected = np.asarray(model(scaled - (1 if input_range == "-1..1" else 0), training=False))[:, -1]
    assert np.allclose(session.run(pictures(24))["probability"], expected, atol=1e-5)


def test_the_batch_axis_has_its_name_and_all_others_their_size(tmp_path: Path) -> None:
    import onnx

    from edge_all_export.converting.onnx_export import contract_network, export_onnx

    export_onnx(contract_network(functional()), tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    shapes = {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {"image": ["batch", 24, 24, 3], "probability": ["batch"], "features": ["batch", 6]}
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}


def test_a_conversion_that_answers_differently_is_not_published(tmp_path: Path) -> None:
    from edge_all_export.converting.onnx_export import contract_network, export_onnx
    from edge_all_export.converting.parity import measure_parity

    export_onnx(contract_network(functional()), tmp_path / "model.onnx")
    other = functional()
    other.set_weights([weight * 1.1 for weight in other.get_weights()])
    with pytest.raises(ModelIncompatibleError, match="differs from the Keras model"):
        measure_parity(contract_network(other), tmp_path / "model.onnx", pictures(24))


@pytest.mark.parametrize("opset", [11, 99])
def test_an_opset_that_cannot_be_written_is_refused(tmp_path: Path, opset: int) -> None:
    from edge_all_export.converting.onnx_export import contract_network, export_onnx

    with pytest.raises(UsageError, match=str(opset)):
        export_onnx(contract_network(sequential()), tmp_path / "model.onnx", opset=opset)
    assert list(tmp_path.iterdir()) == []


def test_networks_of_another_kind_are_refused() -> None:
    import keras

    from edge_all_export.converting.onnx_export import contract_network

    class Subclassed(keras.Model):
        """Layers in Python code alone."""

    with pytest.raises(ModelIncompatibleError, match="outputs"):
        contract_network(functional(5))
    with pytest.raises(UsageError, match="input range"):
        contract_network(functional(), input_range="imagenet")
    with pytest.raises(ModelIncompatibleError, match="no input of its own"):
        contract_network(keras.Sequential([keras.layers.Dense(1)]))
    with pytest.raises(ModelIncompatibleError, match="no input of its own"):
        contract_network(Subclassed())


def test_what_is_no_trained_network_is_refused(tmp_path: Path) -> None:
    from edge_all_export.converting.trained import open_trained

    with pytest.raises(InputNotFoundError):
        open_trained(tmp_path)
    broken = tmp_path / "model.keras"
    broken.write_bytes(b"no archive")
    with pytest.raises(ModelIncompatibleError, match="no Keras model"):
        open_trained(broken)


def test_a_network_trained_in_mixed_precision_leaves_in_float32(tmp_path: Path) -> None:
    import keras
    import onnx

    from edge_all_export.converting.onnx_export import export_onnx
    from edge_all_export.converting.parity import measure_parity
    from edge_all_export.converting.trained import open_trained

    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        functional().save(tmp_path / "model.keras")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    network = open_trained(tmp_path / "model.keras").network
    export_onnx(network, tmp_path / "model.onnx")
    measure_parity(network, tmp_path / "model.onnx", pictures(24))
    kinds = {tensor.data_type for tensor in onnx.load(tmp_path / "model.onnx").graph.initializer}
    assert kinds <= {onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.INT32}


@pytest.mark.usefixtures("tiny_backbone")
def test_weights_need_an_input_size_and_the_right_architecture(tmp_path: Path) -> None:
    from edge_all_export.converting.trained import open_trained

    file = tmp_path / "foreign.weights.h5"
    functional().save_weights(file)
    with pytest.raises(UsageError, match="weights alone"):
        open_trained(file)
    with pytest.raises(ModelIncompatibleError, match="do not match"):
        open_trained(file, input_size=75)


def write_run(folder: Path) -> list[Any]:
    """A run folder with its split, and the samples of its data."""
    import cv2

    from edge_all.results import Cell
    from edge_all_export.datasets.samples import Sample

    box = (0, 0, 40, 40)
    whole = Cell(
        1, box, (20.0, 20.0), 1600, box, (20.0, 20.0), 1600, "candidate", contour=(), glass=(200.0, 200.0, 200.0)
    )
    generator = np.random.default_rng(1)
    samples = []
    for number in range(160):
        image = folder / f"{number:02d}.png"
        cv2.imwrite(str(image), generator.integers(0, 256, (40, 40, 3), dtype=np.uint8))
        samples.append(
            Sample(
                f"set/{number}", "set", f"field {number // 4}", f"block {number // 16}", number % 2, image, whole, ""
            )  # type: ignore[arg-type]
        )
    blocks = {"train": [f"block {n}" for n in range(4)], "held_out": [f"block {n}" for n in range(4, 10)]}
    (folder / "split.json").write_text(
        json.dumps({side: {"blocks": names, "samples": []} for side, names in blocks.items()})
    )
    return samples


def test_the_held_out_blocks_of_a_run_are_dealt_to_calibration_and_gate(tmp_path: Path) -> None:
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_export.packaging.release_cells import parts_of_run
    from edge_all_export.run_folder import TrainingRunFolder

    spec = PreprocessingSpec(24, 2.0)
    parts, notes = parts_of_run(TrainingRunFolder(tmp_path), write_run(tmp_path), spec)
    parts.check(24)
    assert notes == ()
    assert parts.training is not None
    assert set(parts.training.groups) == {f"block {n}" for n in range(4)}
    assert len(parts.calibration) == len(parts.test) == 48
    assert not set(parts.calibration.groups) & set(parts.test.groups)


def test_test_cells_beside_the_data_leave_all_held_out_cells_to_calibration(tmp_path: Path) -> None:
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_calibration.labelled_cells.cells import LabelledCells
    from edge_all_export.packaging.release_cells import parts_of_run
    from edge_all_export.run_folder import TrainingRunFolder

    spec = PreprocessingSpec(24, 2.0)
    samples = write_run(tmp_path)
    names = np.array([f"ours {index // 4}" for index in range(60)], np.str_)
    ours = LabelledCells(pictures(24, 60), np.arange(60) % 2 == 0, names, names)
    parts, notes = parts_of_run(TrainingRunFolder(tmp_path), samples, spec, ours)
    parts.check(24)
    assert notes == ()
    assert parts.test is ours
    assert set(parts.calibration.groups) == {f"block {n}" for n in range(4, 10)}
    assert len(parts.calibration) == 96


def test_all_cells_of_one_block_are_dealt_by_field_and_the_card_says_so(tmp_path: Path) -> None:
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_export.packaging.release_cells import SHARED_BLOCKS, parts_of_run
    from edge_all_export.run_folder import TrainingRunFolder

    samples = write_run(tmp_path)
    lone = [
        dataclasses.replace(sample, block="block 4") if sample.label == 1 and sample.block > "block 3" else sample
        for sample in samples
    ]
    parts, notes = parts_of_run(TrainingRunFolder(tmp_path), lone, PreprocessingSpec(24, 2.0))
    parts.check(24)
    assert notes == (SHARED_BLOCKS,)
    assert not set(parts.calibration.slides) & set(parts.test.slides)


def test_blasts_of_a_laboratory_that_lie_in_one_block_reach_both_halves(tmp_path: Path) -> None:
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_export.packaging.release_cells import SHARED_BLOCKS, parts_of_run
    from edge_all_export.run_folder import TrainingRunFolder

    # Two laboratories; of the second all blasts lie in one held-out block, so that block by block one half has none.
    samples = [
        dataclasses.replace(one, source="second", label=int(one.block == "block 8")) if one.block > "block 7" else one
        for one in write_run(tmp_path)
    ]
    parts, notes = parts_of_run(TrainingRunFolder(tmp_path), samples, PreprocessingSpec(24, 2.0))
    parts.check(24)
    for part in (parts.calibration, parts.test):
        assert part.labels[part.laboratories == "second"].sum() >= 4
    assert notes == (SHARED_BLOCKS,)
    assert not set(parts.calibration.slides) & set(parts.test.slides)


def test_a_run_without_held_out_cells_or_with_other_data_is_refused(tmp_path: Path) -> None:
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_export.packaging.release_cells import parts_of_run
    from edge_all_export.run_folder import TrainingRunFolder

    spec = PreprocessingSpec(24, 2.0)
    samples = write_run(tmp_path)
    with pytest.raises(UsageError, match="--data"):
        parts_of_run(TrainingRunFolder(tmp_path), samples[:32], spec)
    sides = {"train": {"blocks": ["block 1"], "samples": []}, "held_out": {"blocks": [], "samples": []}}
    (tmp_path / "split.json").write_text(json.dumps(sides))
    with pytest.raises(UsageError, match="held nothing out"):
        parts_of_run(TrainingRunFolder(tmp_path), samples, spec)
    (tmp_path / "split.json").write_text("{")
    with pytest.raises(InputError, match="does not say"):
        parts_of_run(TrainingRunFolder(tmp_path), samples, spec)


def test_too_few_cells_for_the_gate_are_refused_before_the_export(tmp_path: Path) -> None:
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_calibration.releasing.publishing import PackageName, Publication
    from edge_all_calibration.releasing.release import ReleasePlan
    from edge_all_export.converting.trained import TrainedNetwork
    from edge_all_export.packaging.network_package import described_card, package_network, read_description
    from edge_all_export.packaging.release_cells import parts_of_run
    from edge_all_export.run_folder import TrainingRunFolder

    spec = PreprocessingSpec(24, 2.0)
    parts, _ = parts_of_run(TrainingRunFolder(tmp_path), write_run(tmp_path), spec)
    trained = TrainedNetwork(functional(), "tiny", 24)
    description = read_description(None, name=None, version=None, folder=tmp_path / "package")
    card = described_card(trained, spec, description, parts)
    steps: list[str] = []
    with pytest.raises(UsageError, match="48 cells prove nothing"):
        package_network(
            trained,
            card,
            parts,
            ReleasePlan(("fp32", "int8")),
            Publication(tmp_path / "package", PackageName.of(card)),
            progress=steps.append,
        )
    assert steps == []
    assert not (tmp_path / "package").exists()


def test_a_package_without_a_name_takes_its_folder_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_all_export.packaging.network_package import read_description

    about = tmp_path / "about.json"
    about.write_text('{"name": "described", "version": "3"}')
    folder = tmp_path / "packages" / "ours"
    folder.mkdir(parents=True)
    assert read_description(None, name=None, version=None, folder=folder).name == "ours"
    assert read_description(about, name=None, version=None, folder=folder).name == "described"
    assert read_description(about, name="typed", version=None, folder=folder).name == "typed"
    monkeypatch.chdir(folder)
    assert read_description(None, name=None, version=None, folder=Path()).name == "ours"


def test_the_real_network_leaves_as_one_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """InceptionV3 at its smallest input, untrained: export, parity, all variants, gate, runtime."""
    import onnx

    # It has learned nothing, for which the reduced precisions are otherwise left out.
    monkeypatch.setattr("edge_all_calibration.releasing.release.POOR_AUC", 0.0)

    from edge_all.classification.classifier import Classifier
    from edge_all.model.package import load_package
    from edge_all.preprocessing import PreprocessingSpec
    from edge_all_calibration.gating.decisions import OutOfFold
    from edge_all_calibration.gating.release_gate import GateLimits
    from edge_all_calibration.labelled_cells.cells import LabelledCells
    from edge_all_calibration.quantizing import quantization
    from edge_all_calibration.releasing.publishing import PackageName, Publication
    from edge_all_calibration.releasing.release import CellParts, ReleasePlan
    from edge_all_export.converting.trained import open_trained
    from edge_all_export.network import build_network
    from edge_all_export.packaging.network_package import described_card, package_network, read_description

    def cells(first: int, count: int) -> LabelledCells:
        generator = np.random.default_rng(first)
        crops = generator.integers(0, 256, (count, 75, 75, 3), dtype=np.uint8)
        names = np.array([f"{first + index // 4}" for index in range(count)], np.str_)
        return LabelledCells(crops, np.arange(count) % 2 == 0, names, names)

    # No rule follows from what an untrained network says of these.
    shares = np.linspace(0.05, 0.95, 40)
    # The choice between the ways of quantising is tested where it is made.
    monkeypatch.setattr(quantization, "METHODS", {"minmax": quantization.METHODS["minmax"]})
    monkeypatch.setattr(quantization, "REDUCED_ACTIVATIONS", (0,))
    build_network(75, "none").save(tmp_path / "model.keras")
    trained = open_trained(tmp_path / "model.keras")
    parts = CellParts(cells(0, 24), cells(1000, 60), cells(2000, 40), OutOfFold(shares, shares > 0.5))
    description = read_description(None, name="untrained", version="0.1", folder=tmp_path / "package")
    release = package_network(
        trained,
        described_card(trained, PreprocessingSpec(75, 2.0), description, parts),
        parts,
        # An untrained network decides by chance, and rounding may turn each of its decisions.
        ReleasePlan(limits=GateLimits(0.0, 1.0, 1.0, 1.0, 1000)),
        Publication(tmp_path / "package", PackageName("untrained", "0.1")),
    )
    package = load_package(tmp_path / "package")
    assert tuple(package.card.variants) == ("fp32", "fp16", "int8")
    assert release.card.variants["fp32"].parity["max_abs_difference"]["probability"] <= 1e-5
    assert package.variant_file("fp32").stat().st_size >= 80_000_000  # InceptionV3, and no stand-in
    assert package.variant_file("int8").stat().st_size <= 25_000_000
    # What OpenVINO stumbles over; see edge_all_export.converting.simplification.
    for variant in package.card.variants:
        graph = onnx.load(package.variant_file(variant)).graph
        nothing = {tensor.name for tensor in graph.initializer if list(tensor.dims) == [0]}
        assert not [node.name for node in graph.node if node.op_type == "Unsqueeze" and node.input[1] in nothing]
    for variant in package.card.variants:
        assert len(Classifier(package, variant=variant, device="cpu").judge(cells(3000, 3).crops)) == 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--data", "--test-cells", "--cells"], "--data excludes --cells and --training-cells"),
        (["--data", "--training-cells"], "--data excludes --cells and --training-cells"),
        (["--test-cells"], "needs labelled cells"),
        (["--data", "--test-cells"], "needs one folder for each class"),
    ],
)
def test_cells_that_exclude_each_other_or_are_not_given_are_told(tmp_path: Path, given: list[str], words: str) -> None:
    """The last pair goes together: there the folder itself is what is wrong."""
    import typer
    from typer.testing import CliRunner

    from edge_all.errors import EdgeAllError
    from edge_all_export import commands

    app = typer.Typer(pretty_exceptions_enable=False)
    commands.register(app)
    functional().save(tmp_path / "model.keras")
    command = ["export", str(tmp_path / "model.keras"), "-o", str(tmp_path / "package")]
    result = CliRunner().invoke(app, [*command, *(part for option in given for part in (option, str(tmp_path)))])
    assert isinstance(result.exception, EdgeAllError)
    assert words in str(result.exception)


def test_a_name_that_cannot_be_installed_is_refused_before_the_network_is_opened(tmp_path: Path) -> None:
    import typer
    from typer.testing import CliRunner

    from edge_all.errors import ModelIncompatibleError
    from edge_all.model.package import default_package_path, load_package
    from edge_all_export import commands

    app = typer.Typer(pretty_exceptions_enable=False)
    commands.register(app)
    unreadable = tmp_path / "model.keras"
    unreadable.touch()
    command = ["export", str(unreadable), "-o"]
    for arguments in (["package", "--name", "our model"], ["package", "--model-version", "1/0"], ["our package"]):
        refused = CliRunner().invoke(app, [*command, str(tmp_path / arguments[0]), *arguments[1:]])
        assert isinstance(refused.exception, ModelIncompatibleError)
        assert arguments[-1] in str(refused.exception), "and not that the network cannot be read"
    # The next version of the embedded model is exported under its name, and whoever does it is told.
    name = load_package(default_package_path()).card.name
    warned = CliRunner().invoke(app, [*command, str(tmp_path / "package"), "--name", name])
    assert "model.keras" in str(warned.exception)
    assert f"Note: '{name}' is the name of the package embedded" in warned.stderr
