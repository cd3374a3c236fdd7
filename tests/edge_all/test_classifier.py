"""Crops to calibrated probabilities and decisions."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.classification.classifier import Classifier, calibrated_probability, decide, load_classifier
from edge_all.classification.verification import check_golden, check_networks
from edge_all.errors import (
    ModelError,
    ModelIncompatibleError,
    ModelIntegrityError,
    ModelNotFoundError,
    UsageError,
)
from edge_all.model.card import Thresholds
from edge_all.model.golden import golden_crops
from edge_all.model.package import load_package
from edge_all.selection import choose_variant

THRESHOLDS = Thresholds(non_all_below=0.3, all_from=0.7, out_of_distribution=10.0, false_positive_rate=0.05)
EditCard = Callable[..., None]
probabilities = st.floats(0, 1)


def purple_crops(count: int, size: int = 32, seed: int = 1) -> np.ndarray:
    """Grainy crops whose nucleus grows from nothing to half of the crop."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[0:size, 0:size]
    distance = np.hypot(row - size / 2, column - size / 2)
    crops = np.empty((count, size, size, 3), np.uint8)
    for index in range(count):
        nucleus = distance < size * index / max(1, count - 1) * 0.4
        crop = np.where(nucleus[..., None], (110, 60, 150), (235, 225, 230)) + random.integers(-9, 10, (size, size, 3))
        crops[index] = np.clip(crop, 0, 255)
    return crops


def test_probabilities_labels_and_distances_are_those_computed_by_hand(
    tiny_package_factory: Callable[..., Path], tiny_outputs: Callable[..., tuple]
) -> None:
    package = load_package(tiny_package_factory(temperature=2.0))
    classifier = Classifier(package, device="cpu")
    crops = purple_crops(13)
    raw, features = tiny_outputs(crops)
    expected = 1 / (1 + np.exp(-np.log(raw / (1 - raw)) / 2))
    with np.load(package.path / "features.npz") as statistics:
        centred = features - statistics["mean"]
        distance = np.einsum("ni,ij,nj->n", centred, statistics["precision"], centred) / 25
    judged = classifier.judge(crops)
    assert [one.probability for one in judged] == pytest.approx(expected, abs=1e-5)
    assert [one.out_of_distribution for one in judged] == pytest.approx(distance, rel=1e-4)
    assert judged[0].label == "non-ALL"
    assert judged[-1].label == "ALL"
    assert "indeterminate" in {one.label for one in judged}


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_cell_is_judged_alike_alone_and_in_any_company(tiny_package: Path, device: str) -> None:
    crops = purple_crops(37)
    classifier = load_classifier(str(tiny_package), device=device)
    together = classifier.judge(crops)
    assert tuple(classifier.judge(crops[index : index + 1])[0] for index in range(37)) == together
    assert classifier.judge(crops[::-1])[::-1] == together
    assert load_classifier(str(tiny_package), device=device, threads=1).judge(crops) == together


def test_activation_maps_add_up_to_the_calibrated_logit_and_change_no_judgement(
    tiny_package_factory: Callable[..., Path],
) -> None:
    classifier = load_classifier(str(tiny_package_factory(temperature=2.0)), device="cpu")
    crops = purple_crops(13)
    plain, mapped = classifier.judge(crops), classifier.judge(crops, activations=True)
    assert mapped == plain
    assert all(one.activation is None for one in plain)
    maps = np.stack([one.activation for one in mapped if one.activation is not None])
    assert maps.shape == (13, 15, 15)
    probability = np.array([one.probability for one in plain])
    logits = np.log(probability / (1 - probability))
    assert np.ptp(maps.mean((1, 2)) - logits) < 1e-4, "what is left is the network's bias, the same for all cells"


def test_activation_maps_of_a_package_without_any_are_a_mistake_of_the_user(
    edit_card: EditCard, tiny_package_factory: Callable[..., Path], without_activation: Callable[[Path], None]
) -> None:
    folder = tiny_package_factory(name="plain")
    without_activation(folder / "model.fp32.onnx")
    edit_card(folder)
    classifier = load_classifier(str(folder))
    assert len(classifier.judge(purple_crops(2))) == 2
    with pytest.raises(UsageError, match=r"plain computes no class activation maps.*--activation-maps"):
        classifier.judge(purple_crops(2), activations=True)


def test_no_cells_are_no_judgements(tiny_package: Path) -> None:
    assert load_classifier(str(tiny_package)).judge(np.empty((0, 32, 32, 3), np.uint8)) == ()


def test_identity_names_the_network_that_judged(tiny_package_factory: Callable[..., Path]) -> None:
    folder = tiny_package_factory(variants=("fp32", "int8"), name="lab", version="3.1")
    classifier = load_classifier(str(folder), device="cpu")
    assert classifier.identity.variant == classifier.variant == "int8"
    assert classifier.identity.sha256 == hashlib.sha256((folder / "model.int8.onnx").read_bytes()).hexdigest()
    assert (classifier.identity.name, classifier.identity.version) == ("lab", "3.1")
    assert classifier.provider.obtained == "CPUExecutionProvider"
    assert classifier.spec.input_size == 32
    assert load_classifier(str(folder), variant="fp32", device="cpu").identity.variant == "fp32"


@pytest.mark.parametrize(
    ("provider", "present", "best"),
    [
        ("CPUExecutionProvider", ("fp32", "fp16", "int8"), "int8"),
        ("CPUExecutionProvider", ("fp32", "fp16"), "fp32"),
        ("CPUExecutionProvider", ("fp16",), "fp16"),
        ("CUDAExecutionProvider", ("fp32", "fp16", "int8"), "fp16"),
        ("CUDAExecutionProvider", ("fp32", "int8"), "fp32"),
        ("CUDAExecutionProvider", ("int8",), "int8"),
        ("SomethingNewExecutionProvider", ("int8", "fp32"), "fp32"),
    ],
)
def test_the_variant_follows_from_provider_and_package(provider: str, present: tuple, best: str) -> None:
    chosen, reason = choose_variant(None, provider, present)
    assert chosen == best
    assert reason


def test_a_variant_that_was_asked_for_is_obtained_or_an_error(tiny_package: Path) -> None:
    assert choose_variant("fp16", "CPUExecutionProvider", ("fp32", "fp16"))[0] == "fp16"
    with pytest.raises(ModelNotFoundError, match="no int8 variant"):
        load_classifier(str(tiny_package), variant="int8")
    with pytest.raises(UsageError, match="'int4'"):
        load_classifier(str(tiny_package), variant="int4")


@given(probabilities, st.floats(0.05, 20))
def test_the_temperature_keeps_probabilities_and_their_side_of_one_half(probability: float, temperature: float) -> None:
    (calibrated,) = calibrated_probability(np.array([probability]), temperature)
    assert 0 <= calibrated <= 1
    if abs(probability - 0.5) > 1e-9:
        assert (calibrated > 0.5) == (probability > 0.5)


@given(st.lists(probabilities, min_size=2, max_size=20), st.floats(0.05, 20))
def test_the_temperature_keeps_the_order(values: list[float], temperature: float) -> None:
    ordered = calibrated_probability(np.sort(np.array(values, np.float32)), temperature)
    assert (np.diff(ordered) >= 0).all()


@given(st.floats(1e-6, 1 - 1e-6))
def test_a_temperature_of_one_changes_nothing(probability: float) -> None:
    assert calibrated_probability(np.array([probability]), 1.0)[0] == pytest.approx(probability, abs=1e-12)


def test_certainty_is_softened_by_a_temperature_too() -> None:
    none, all_ = calibrated_probability(np.array([0.0, 1.0], np.float32), 4.0)
    assert 0 < none < 0.05
    assert 0.95 < all_ < 1


@given(probabilities, st.one_of(st.none(), st.floats(0, 5)))
def test_decisions_are_total_and_unlike_cells_are_never_decided(probability: float, distance: float | None) -> None:
    label = decide(probability, distance, THRESHOLDS)
    if distance is not None and distance > 1:
        assert label == "indeterminate"
    elif probability >= 0.7:
        assert label == "ALL"
    elif probability < 0.3:
        assert label == "non-ALL"
    else:
        assert label == "indeterminate"


def test_thresholds_belong_to_the_side_that_their_names_say() -> None:
    assert decide(0.7, 1.0, THRESHOLDS) == "ALL"
    assert decide(0.3, None, THRESHOLDS) == "indeterminate"
    assert decide(math.nextafter(0.3, 0), None, THRESHOLDS) == "non-ALL"
    single = dataclasses.replace(THRESHOLDS, non_all_below=0.5, all_from=0.5)
    assert {decide(0.5, None, single), decide(math.nextafter(0.5, 0), None, single)} == {"ALL", "non-ALL"}


def test_a_package_without_statistics_offers_no_distance(tiny_package_factory: Callable[..., Path]) -> None:
    classifier = load_classifier(str(tiny_package_factory(out_of_distribution=None)))
    assert {one.out_of_distribution for one in classifier.judge(purple_crops(3))} == {None}


def test_what_no_smear_looks_like_goes_to_review(tiny_package_factory: Callable[..., Path]) -> None:
    classifier = load_classifier(str(tiny_package_factory(out_of_distribution=2.0)))
    noise = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (1, 32, 32, 3))
    (judged,) = classifier.judge(noise)
    assert judged.out_of_distribution is not None
    assert judged.out_of_distribution > 1
    assert judged.label == "indeterminate"


@pytest.mark.parametrize(
    "arrays",
    [
        {"mean": np.zeros(7), "precision": np.eye(7)},
        {"mean": np.zeros(8), "precision": np.eye(7)},
        {"mean": np.zeros(8)},
        {"mean": np.zeros(8), "precision": np.full((8, 8), np.nan)},
        {"mean": np.array([None] * 8), "precision": np.eye(8)},
    ],
)
def test_statistics_that_do_not_fit_are_refused(
    edit_card: EditCard, tiny_package: Path, arrays: dict[str, np.ndarray]
) -> None:
    np.savez(tiny_package / "features.npz", **arrays)
    edit_card(tiny_package)
    with pytest.raises(ModelIntegrityError, match=r"features\.npz"):
        load_classifier(str(tiny_package))


def test_statistics_that_are_no_archive_are_refused(edit_card: EditCard, tiny_package: Path) -> None:
    (tiny_package / "features.npz").write_bytes(b"PK\x03\x04 no")
    edit_card(tiny_package)
    with pytest.raises(ModelIntegrityError, match="no feature statistics"):
        load_classifier(str(tiny_package))


def test_a_network_of_another_model_is_refused_although_its_hash_fits(
    edit_card: EditCard,
    tiny_package_factory: Callable[..., Path],
) -> None:
    ours, other = tiny_package_factory(), tiny_package_factory(name="other")
    (ours / "model.fp32.onnx").write_bytes((other / "model.fp32.onnx").read_bytes())
    edit_card(ours)
    with pytest.raises(ModelIntegrityError, match=r"edge_all\.name"):
        load_classifier(str(ours))


def test_a_network_of_another_input_size_is_refused(
    edit_card: EditCard, tiny_package: Path, tiny_network: Callable[..., None]
) -> None:
    tiny_network(tiny_package / "model.fp32.onnx", 48, {})
    edit_card(tiny_package)
    with pytest.raises(ModelIntegrityError, match="48 pixels"):
        load_classifier(str(tiny_package))


@pytest.mark.parametrize(
    ("ending", "error"), [("Log", ModelError), ("Neg", ModelIncompatibleError), ("Exp", ModelIncompatibleError)]
)
def test_answers_that_are_no_probabilities_are_errors(
    edit_card: EditCard, tiny_package: Path, tiny_network: Callable[..., None], ending: str, error: type
) -> None:
    tiny_network(tiny_package / "model.fp32.onnx", 32, {}, ending=ending)
    edit_card(tiny_package)
    with pytest.raises(error):
        load_classifier(str(tiny_package)).judge(purple_crops(3))


def test_golden_answers_prove_the_arithmetic(edit_card: EditCard, tiny_package: Path) -> None:
    check = check_golden(load_classifier(str(tiny_package)))
    assert check.passed
    assert check.largest_difference is not None
    assert check.largest_difference < 1e-5
    edit_card(tiny_package, lambda record: record["variants"]["fp32"].update(golden=[0.5, 0.5, 0.5, 0.5]))
    assert not check_golden(load_classifier(str(tiny_package))).passed
    edit_card(tiny_package, lambda record: record["variants"]["fp32"].update(golden=[0.5]))
    assert not check_golden(load_classifier(str(tiny_package))).passed
    edit_card(tiny_package, lambda record: record["variants"]["fp32"].update(golden=None))
    assert check_golden(load_classifier(str(tiny_package))).largest_difference is None


def test_golden_crops_are_decided_differently(tiny_package: Path) -> None:
    answers = load_classifier(str(tiny_package)).network_probability(golden_crops(32))
    assert answers.max() - answers.min() > 0.2


def test_every_network_of_a_package_is_checked(edit_card: EditCard, tiny_package_factory: Callable[..., Path]) -> None:
    folder = tiny_package_factory(variants=("fp32", "int8"))
    check_networks(load_package(folder))
    (folder / "model.fp32.onnx").write_bytes(b"not a network")
    edit_card(folder)
    load_classifier(str(folder), device="cpu")
    with pytest.raises(ModelIncompatibleError, match=r"model\.fp32\.onnx"):
        check_networks(load_package(folder))
