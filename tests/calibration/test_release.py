"""The whole of calibration, quantisation, gate and runtime on a tiny network, without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from edge_all.classification.classifier import Classifier
from edge_all.classification.verification import check_golden
from edge_all.errors import ModelIncompatibleError, ModelIntegrityError, UsageError
from edge_all.model.card import ModelCard
from edge_all.model.package import load_package
from edge_all_calibration.cli.reporting import print_release
from edge_all_calibration.figures.measures import auc
from edge_all_calibration.gating.decisions import fit_reference
from edge_all_calibration.gating.release_gate import GateLimits
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.probability.left_out_alarms import LeftOutAlarms
from edge_all_calibration.probability.operating_points import OperatingPolicy
from edge_all_calibration.quantizing.inference import NetworkOutputs, run_network
from edge_all_calibration.releasing.publishing import embed_package
from edge_all_calibration.releasing.release import REJECTED, CellParts, Release, ReleasePlan, build_release

VARIANTS = ("fp32", "fp16", "int8")


def test_the_runtime_decides_as_the_gate_saw_it(released: tuple[Path, Release], parts: CellParts) -> None:
    folder, _ = released
    package = load_package(folder)
    assert tuple(package.card.variants) == VARIANTS
    reference = [one.label for one in Classifier(package, variant="fp32", device="cpu").judge(parts.test.crops)]
    for variant in ("fp16", "int8"):
        classifier = Classifier(package, variant=variant, device="cpu")
        labels = [one.label for one in classifier.judge(parts.test.crops)]
        agreement = np.mean([one == other for one, other in zip(labels, reference, strict=True)])
        gate = package.card.variants[variant].gate
        assert gate is not None
        assert gate["passed"] is True
        assert gate["checks"]["label agreement"]["value"] == pytest.approx(agreement, abs=1e-4)


def test_the_package_tells_all_cells_from_others(released: tuple[Path, Release], parts: CellParts) -> None:
    judged = Classifier(load_package(released[0]), variant="int8", device="cpu").judge(parts.test.crops)
    assert auc(np.array([one.probability for one in judged]), parts.test.labels) > 0.9


def test_every_file_meets_its_golden_answers_and_names_itself(released: tuple[Path, Release]) -> None:
    package = load_package(released[0])
    for variant in VARIANTS:
        check = check_golden(Classifier(package, variant=variant, device="cpu"))
        assert check.largest_difference is not None
        assert check.largest_difference < 1e-5
        model = onnx.load(package.variant_file(variant))
        onnx.checker.check_model(model, full_check=True)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        assert metadata == package.card.network_metadata(variant)
        assert [operators.domain for operators in model.opset_import] == [""]
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_int8_is_static_and_per_channel_with_unsigned_activations(released: tuple[Path, Release]) -> None:
    model = onnx.load(released[0] / "model.int8.onnx")
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    operators = {node.op_type for node in model.graph.node}
    assert "DynamicQuantizeLinear" not in operators
    weights = [value for value in tensors.values() if value.dtype == np.int8 and value.ndim == 4]
    assert len(weights) == 2
    scales = [
        tensors[node.input[1]]
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in tensors and tensors[node.input[0]].ndim == 4
    ]
    assert [scale.shape for scale in scales] == [(8,), (8,)]
    zero_points = [tensors[node.input[2]] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    assert zero_points
    assert all(value.dtype == np.uint8 for value in zero_points)


def test_fp16_keeps_its_head_and_its_outputs_in_float(released: tuple[Path, Release]) -> None:
    model = onnx.load(released[0] / "model.fp16.onnx")
    assert [value.type.tensor_type.elem_type for value in model.graph.output] == [onnx.TensorProto.FLOAT] * 2
    halves = [tensor.name for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT16]
    assert len(halves) == 4
    assert not any("head" in name for name in halves)


def test_strange_cells_are_left_to_a_person(released: tuple[Path, Release], parts: CellParts) -> None:
    strange = 255 - parts.test.crops[:12]
    for variant in VARIANTS:
        classifier = Classifier(load_package(released[0]), variant=variant, device="cpu")
        assert {one.label for one in classifier.judge(strange)} == {"indeterminate"}
        known = [one.out_of_distribution for one in classifier.judge(parts.test.crops)]
        assert np.mean([distance is not None and distance > 1 for distance in known]) < 0.1


def test_of_a_poor_network_only_fp32_is_made_and_the_reason_is_said(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    # As many labels are wrong as leave it better than chance, and not worth minutes of quantising.
    calibration = parts.calibration
    order = np.random.default_rng(0).permutation(len(calibration))
    answers = run_network(network, calibration.crops).probability.astype(np.float64)
    labels = calibration.labels.copy()
    for wrong in order:
        if auc(answers, labels) < 0.68:
            break
        labels[wrong] = not labels[wrong]
    poor = dataclasses.replace(parts, calibration=dataclasses.replace(calibration, labels=labels))
    said: list[str] = []
    release = build_release(tmp_path, network, card, poor, ReleasePlan(("fp32", "int8")), progress=said.append)
    assert tuple(load_package(tmp_path).card.variants) == ("fp32",)
    assert release.reports == ()
    assert any(words.startswith("Only FP32 is made. The network orders the") for words in said)
    assert not any("INT8 by" in words for words in said)
    assert any("AUC of 0." in limitation for limitation in release.card.limitations)


def test_no_laboratory_makes_the_false_positives_look_rarer_than_the_calibration_cells(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    rates = []
    for name, left_out in (("own", None), ("lower", 0.0), ("higher", 0.9)):
        (tmp_path / name).mkdir()
        plan = ReleasePlan(("fp32",), left_out=None if left_out is None else LeftOutAlarms((0.0,), (left_out,)))
        release = build_release(tmp_path / name, network, card, parts, plan)
        rates.append(release.card.variants["fp32"].thresholds.false_positive_rate)
    assert 0 < rates[0] < 0.9
    assert rates == [rates[0], rates[0], 0.9]


def test_a_rejected_variant_is_set_aside_with_its_report(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    limits = GateLimits(label_agreement=1.01)
    release = build_release(tmp_path, network, card, parts, ReleasePlan(("fp32", "int8"), limits=limits))
    assert [report.variant for report in release.rejected] == ["int8"]
    assert tuple(load_package(tmp_path).card.variants) == ("fp32",)
    assert not (tmp_path / "model.int8.onnx").exists()
    assert (tmp_path / REJECTED / "model.int8.onnx").is_file()
    report = json.loads((tmp_path / REJECTED / "int8.json").read_text(encoding="utf-8"))
    assert report["gate"]["passed"] is False
    assert "label agreement" in report["gate"]["reasons"][0]


def test_a_network_without_features_gets_a_package_without_statistics(
    tmp_path: Path, write: Callable[..., Path], card: ModelCard, parts: CellParts
) -> None:
    folder = tmp_path / "package"
    folder.mkdir()
    plain = write(tmp_path / "plain.onnx", features=False)
    release = build_release(folder, plain, card, parts, ReleasePlan(("fp32",)))
    assert release.card.feature_statistics is None
    judged = Classifier(load_package(folder), device="cpu").judge(parts.test.crops[:2])
    assert [one.out_of_distribution for one in judged] == [None, None]


def test_a_changed_byte_is_refused(tmp_path: Path, released: tuple[Path, Release]) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(released[0], folder)
    content = bytearray((folder / "model.int8.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.int8.onnx").write_bytes(content)
    with pytest.raises(ModelIntegrityError):
        load_package(folder)


def test_the_embedded_copy_holds_one_variant_and_its_report(tmp_path: Path, released: tuple[Path, Release]) -> None:
    embed_package(released[0], tmp_path / "default")
    package = load_package(tmp_path / "default")
    assert tuple(package.card.variants) == ("int8",)
    assert sorted(file.name for file in package.path.iterdir()) == [
        "card.json",
        "features.npz",
        "model.int8.onnx",
        "outline.onnx",
    ]
    assert package.card.variants["int8"].gate is not None


@pytest.mark.parametrize("shared", ["calibration", "training"])
def test_a_group_in_two_parts_is_refused(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts, shared: str, draw: Callable[..., LabelledCells]
) -> None:
    test = draw(range(29, 39) if shared == "calibration" else range(19, 20))
    with pytest.raises(UsageError, match=f"(?s){shared}.*share 1 group"):
        build_release(tmp_path, network, card, dataclasses.replace(parts, test=test))


def test_cells_of_one_class_are_refused(tmp_path: Path, network: Path, card: ModelCard, parts: CellParts) -> None:
    lone = parts.calibration.subset(parts.calibration.labels)
    with pytest.raises(UsageError, match="are ALL"):
        build_release(tmp_path, network, card, dataclasses.replace(parts, calibration=lone))


def test_cells_cut_for_another_network_are_refused(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    other = dataclasses.replace(card, preprocessing=dataclasses.replace(card.preprocessing, input_size=48))
    with pytest.raises(UsageError, match="48"):
        build_release(tmp_path, network, other, parts)


def test_too_few_test_cells_are_refused_before_anything_is_made(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    few = dataclasses.replace(parts, test=parts.test.subset(np.arange(49)))
    steps: list[str] = []
    with pytest.raises(UsageError, match=r"(?s)49 cells prove nothing.*at least 50.*--folds 2.*about 200"):
        build_release(tmp_path, network, card, few, progress=steps.append)
    assert steps == []
    # Without a variant there is no gate.
    few.check(card.preprocessing.input_size)
    assert build_release(tmp_path, network, card, few, ReleasePlan(("fp32",))).reports == ()


def test_calibration_cells_that_contradict_the_network_are_refused(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    cells = parts.calibration
    swapped = dataclasses.replace(parts, calibration=dataclasses.replace(cells, labels=~cells.labels))
    with pytest.raises(UsageError, match=r"(?s)do not fit the network.*no better than chance.*Check their labels"):
        build_release(tmp_path, network, card, swapped)


def test_few_calibration_cells_without_a_mistake_are_enough(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts
) -> None:
    probability = run_network(network, parts.calibration.crops).probability
    order = np.argsort(probability)
    few = np.concatenate([order[:4], order[-4:]])
    separated = dataclasses.replace(parts.calibration.subset(few), labels=probability[few] > np.median(probability))
    release = build_release(
        tmp_path, network, card, dataclasses.replace(parts, calibration=separated), ReleasePlan(("fp32",))
    )
    thresholds = release.card.variants["fp32"].thresholds
    assert 0 < thresholds.non_all_below <= thresholds.all_from < 1


@pytest.mark.parametrize("shift", [0.0, 0.45])
def test_a_network_that_leans_to_one_class_but_divides_the_cells_is_calibrated(shift: float) -> None:
    probabilities = np.concatenate([np.linspace(0.05, 0.2, 8), np.linspace(0.4, 0.5, 8)]) + shift
    rule = fit_reference(NetworkOutputs(probabilities, None), np.arange(16) >= 8, OperatingPolicy(), None)
    found = rule.decide(probabilities, None)
    assert found.label.tolist() == ["non-ALL"] * 8 + ["ALL"] * 8


def test_swapped_classes_are_told_from_a_network_that_knows_nothing() -> None:
    labels = np.arange(40) < 20
    ordered = NetworkOutputs(np.linspace(0.05, 0.95, 40), None)
    with pytest.raises(UsageError, match=r"(?s)AUC 0\.00.*swapped.*--positive"):
        fit_reference(ordered, labels, OperatingPolicy(), None)
    # Its temperature may well end within the limits, and minutes of quantising would follow.
    mixed = NetworkOutputs(np.where(np.arange(40) % 2, 0.4, 0.45), None)
    with pytest.raises(UsageError, match="no better than chance") as caught:
        fit_reference(mixed, labels, OperatingPolicy(), None)
    assert "swapped" not in str(caught.value)


def test_logits_are_refused_as_what_they_are_before_anything_is_quantised() -> None:
    outputs = NetworkOutputs(np.linspace(-3, 3, 20), None)
    with pytest.raises(ModelIncompatibleError, match=r"no probabilities.*edge-all wrap.*logits"):
        fit_reference(outputs, np.arange(20) > 9, OperatingPolicy(), None)


def test_contradictory_cells_of_a_small_set_are_refused() -> None:
    """15 cells of one class and 5 of the other, in no order: they gave a temperature of 20, and ALL from 1."""
    probabilities = np.linspace(0.05, 0.95, 20)
    labels = np.isin(np.arange(20), [0, 4, 8, 12, 15])
    with pytest.raises(UsageError, match=r"20 cells for calibration \(5 ALL\) do not fit the network"):
        fit_reference(NetworkOutputs(probabilities, None), labels, OperatingPolicy(), None)


@pytest.mark.parametrize(("label", "end"), [("ALL", -1), ("non-ALL", 0)])
def test_a_rule_by_which_a_label_can_never_be_given_is_refused(label: str, end: int) -> None:
    """Beyond the few cells of one class lies one of the other, so that no cut keeps the mistakes few enough."""
    probabilities = np.concatenate([np.linspace(0.05, 0.3, 30), np.linspace(0.85, 0.95, 4), [0.99]])
    labels = probabilities > 0.5
    labels[-1] = False
    if end == 0:
        probabilities, labels = (1 - probabilities)[::-1], ~labels[::-1]
    outputs = NetworkOutputs(probabilities, None)
    with pytest.raises(UsageError, match=f"ever be called {label}"):
        fit_reference(outputs, labels, OperatingPolicy(), None)
    # Who fixes the threshold by hand has decided that already.
    fit_reference(outputs, labels, OperatingPolicy("fixed", 0.5), None)


def test_a_weak_classifier_is_published_with_a_warning(
    tmp_path: Path, network: Path, card: ModelCard, parts: CellParts, capsys: pytest.CaptureFixture[str]
) -> None:
    def confused(cells: LabelledCells) -> LabelledCells:
        return dataclasses.replace(cells, labels=cells.labels ^ (np.arange(len(cells)) % 5 == 0))

    weak = dataclasses.replace(parts, calibration=confused(parts.calibration), test=confused(parts.test))
    for name, given, expected in (("good", parts, 0), ("weak", weak, 1)):
        folder = tmp_path / name
        folder.mkdir()
        release = build_release(folder, network, card, given, ReleasePlan(("fp32",)))
        said = [one for one in release.card.limitations if "A weak classifier: AUC 0." in one]
        assert len(said) == expected
        print_release(folder, release)
        assert ("Note: A weak classifier" in capsys.readouterr().out) == bool(expected)
