"""Crops to calibrated probabilities and decisions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_all.classification.classifier import Classifier, load_classifier
from edge_all.classification.verification import check_golden, check_networks
from edge_all.errors import (
    ModelError,
    ModelIncompatibleError,
    ModelIntegrityError,
    ModelNotFoundError,
    UsageError,
)
from edge_all.model.golden import golden_crops
from edge_all.model.package import load_package
from edge_all.selection import choose_variant

EditCard = Callable[..., None]


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
    with pytest.raises(UsageError, match="plain computes no class activation maps") as refused:
        classifier.judge(purple_crops(2), activations=True)
    assert refused.value.settings == ("activations",)


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
        {"mean": np.array([*np.zeros(7), np.nan]), "precision": np.eye(8)},
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


def test_networks_of_an_earlier_version_judge_crops_that_are_cut_otherwise(
    edit_card: EditCard, tiny_package_factory: Callable[..., Path]
) -> None:
    folder = tiny_package_factory(version="1.0")
    earlier = load_package(folder).card.preprocessing.to_json()
    later = {**earlier, "version": 3, "orientation": "upright"}
    edit_card(folder, lambda record: record.update(preprocessing=later))
    with pytest.raises(ModelIntegrityError, match=r"edge_all\.preprocessing"):
        Classifier(load_package(folder))
    edit_card(folder, lambda record: record.update(version="1.1"))
    origin = {"version": "1.0", "preprocessing": earlier}
    edit_card(folder, lambda record: record.update(networks_from=origin))
    assert Classifier(load_package(folder)).spec.orientation == "upright"
    edit_card(folder, lambda record: record.update(networks_from={**origin, "version": "0.9"}))
    with pytest.raises(ModelIntegrityError, match=r"edge_all\.version"):
        Classifier(load_package(folder))


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
