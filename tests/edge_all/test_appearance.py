"""A cell of a stain that no known laboratory has is recognised, and a slide of such cells is never called clean."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge_all.classification.appearance import TRAITS, Appearance, read_appearance, traits_of
from edge_all.classification.classifier import Classifier
from edge_all.classification.decision_rule import DecisionRule
from edge_all.errors import ModelIntegrityError
from edge_all.model.card import Thresholds
from edge_all.model.golden import golden_crops
from edge_all.model.package import load_package, sha256_of, write_card
from edge_all.results import Cell, FieldResult, RgbImage
from edge_all.slides.settling import settled_verdict
from edge_all.slides.verdict import UNKNOWN_SLIDE, judge_slide

SIZE = 64


def smear(count: int, tint: tuple[float, float, float] = (1.0, 1.0, 1.0), seed: int = 0) -> RgbImage:
    """Crops that differ a little, their light multiplied by a tint."""
    generator = np.random.default_rng(seed)
    base = golden_crops(SIZE).astype(np.float64)
    chosen = base[np.arange(count) % len(base)]
    light = generator.normal(1.0, 0.03, (count, 1, 1, 3)) * np.array(tint)
    grain = generator.normal(0.0, 2.0, chosen.shape)
    return np.asarray(np.clip(chosen * light + grain, 0, 255), np.uint8)


def appearance_of(crops: RgbImage) -> Appearance:
    traits = traits_of(crops)
    precision = np.linalg.inv(np.cov(traits.T) + 1e-4 * np.eye(TRAITS))
    return Appearance(("home",), traits.mean(axis=0)[None], precision[None], np.array([30.0]))


def test_a_crop_has_the_traits_that_packages_were_measured_with() -> None:
    """Packages hold means and limits of these very traits: measured otherwise, each known stain would be strange."""
    expected = [
        [0.319585, 0.574858, 0.249694, 0.027259, 0.041558, 0.034349, 0.03614, 0.05074, 0.043379, -1.325675, -3.450248],
        [
            0.506142,
            0.738715,
            0.348074,
            0.027259,
            0.041558,
            0.034349,
            0.045207,
            0.058228,
            0.045207,
            -1.299824,
            -3.228091,
        ],
    ]
    np.testing.assert_allclose(traits_of(golden_crops(SIZE)[[0, 3]]), expected, atol=1e-5)


def test_another_stain_lies_beyond_and_the_own_does_not() -> None:
    home = appearance_of(smear(200))
    own, other = (home.relative_distances(traits_of(smear(40, tint, 1))) for tint in ((1, 1, 1), (0.65, 0.9, 1.1)))
    assert (own < 1).mean() > 0.9
    assert (other > 1).all()


def test_a_cell_is_judged_alike_in_any_company() -> None:
    home, crops = appearance_of(smear(200)), smear(9, seed=2)
    together = home.relative_distances(traits_of(crops))
    alone = [home.relative_distances(traits_of(crop[None]))[0] for crop in crops]
    np.testing.assert_array_equal(together, alone)
    assert traits_of(crops[:0]).shape == (0, TRAITS)


def test_the_rule_takes_the_larger_of_both_distances() -> None:
    rule = DecisionRule(1.0, Thresholds(0.4, 0.6, None, 0.05), None, appearance_of(smear(200)))
    crops = smear(20, (0.7, 0.9, 1.1), 3)
    probability = np.full(20, 0.99)
    assert set(rule.decide(probability, None, crops).label) == {"indeterminate"}
    assert set(rule.decide(probability, None).label) == {"ALL"}


@pytest.mark.parametrize("wrong", ["limits", "means", "nan"])
def test_values_that_cannot_be_are_refused(wrong: str) -> None:
    values = dataclasses.asdict(appearance_of(smear(200)))
    if wrong == "limits":
        values["limits"] = np.array([0.0])
    elif wrong == "means":
        values["means"] = values["means"][:, :-1]
    else:
        values["means"] = values["means"] * np.nan
    with pytest.raises(ModelIntegrityError):
        Appearance(**values)


def with_appearance(folder: Path) -> None:
    """Give a package the appearance of one laboratory."""
    package = load_package(folder)
    home = appearance_of(smear(200))
    np.savez(
        folder / "appearance.npz",
        laboratories=np.array(home.laboratories),
        means=home.means,
        precisions=home.precisions,
        limits=home.limits,
    )
    block = {"file": "appearance.npz", "sha256": sha256_of(folder / "appearance.npz")}
    write_card(folder, dataclasses.replace(package.card, appearance=block))


def test_a_package_brings_its_appearance_to_the_classifier(tiny_package: Path) -> None:
    assert read_appearance(load_package(tiny_package)) is None
    with_appearance(tiny_package)
    classifier = Classifier(load_package(tiny_package))
    strange = smear(8, (0.6, 0.9, 1.2), 4)
    size = classifier.spec.input_size
    crops = np.stack([np.kron(crop, np.ones((size // SIZE + 1, size // SIZE + 1, 1), np.uint8)) for crop in strange])
    judged = classifier.judge(np.ascontiguousarray(crops[:, :size, :size]))
    assert {one.label for one in judged} == {"indeterminate"}
    assert all(one.out_of_distribution is not None and one.out_of_distribution > 1 for one in judged)


def test_a_changed_appearance_is_refused(tiny_package: Path) -> None:
    with_appearance(tiny_package)
    (tiny_package / "appearance.npz").write_bytes(b"no npz")
    with pytest.raises(ModelIntegrityError):
        load_package(tiny_package)
    package = load_package_unverified(tiny_package)
    with pytest.raises(ModelIntegrityError, match="appearance"):
        read_appearance(package)


def test_an_appearance_that_is_swapped_after_the_hash_is_not_used(tiny_package: Path) -> None:
    with_appearance(tiny_package)
    package = load_package(tiny_package)
    with np.load(tiny_package / "appearance.npz") as arrays:
        lenient = {**arrays, "limits": arrays["limits"] * 1e9}
    np.savez(tiny_package / "appearance.npz", **lenient)
    with pytest.raises(ModelIntegrityError, match="changed since"):
        read_appearance(package)


def load_package_unverified(folder: Path):  # type: ignore[no-untyped-def]  # noqa: ANN201
    from edge_all.model.package import ModelPackage, read_card

    return ModelPackage(folder, read_card(folder), "")


def field(labels: list[str], unlike: list[float | None]) -> FieldResult:
    box = (0, 0, 10, 10)
    cells = tuple(
        Cell(
            number,
            box,
            (5.0, 5.0),
            80,
            box,
            (5.0, 5.0),
            40,
            "candidate",
            contour=((0, 0), (9, 0), (9, 9)),
            probability=0.5,
            label=label,  # type: ignore[arg-type]
            out_of_distribution=distance,
        )
        for number, (label, distance) in enumerate(zip(labels, unlike, strict=True), start=1)
    )
    return FieldResult("a.png", "slide", "ok", cells=cells)


LIMITS = Thresholds(0.4, 0.6, None, 0.02)


@pytest.mark.parametrize("known", [0, 49])
def test_an_unknown_slide_is_indeterminate_and_says_why(known: int) -> None:
    labels = ["ALL" if known else "non-ALL"] * known + ["indeterminate"] * (100 - known)
    slide = judge_slide("slide", [field(labels, [0.5] * known + [1.5] * (100 - known))], LIMITS)
    assert slide.verdict == "indeterminate"
    assert UNKNOWN_SLIDE in slide.reason
    assert f"{100 - known} of 100" in slide.reason


@pytest.mark.parametrize("distance", [0.5, None])
def test_a_known_slide_is_judged_by_its_counts(distance: float | None) -> None:
    slide = judge_slide("slide", [field(["non-ALL"] * 100, [distance] * 100)], LIMITS)
    assert slide.verdict == "not detected"
    half = judge_slide("slide", [field(["non-ALL"] * 100, [0.1] * 50 + [1.0] * 50)], LIMITS)
    assert half.verdict == "not detected"
    # Cells may each be within their limit, and yet all of them far from home.
    doubtful = judge_slide("slide", [field(["non-ALL"] * 100, [0.1] * 49 + [0.55] * 51)], LIMITS)
    assert doubtful.verdict == "indeterminate"


def test_an_unknown_slide_is_never_settled_as_suspicious() -> None:
    assert settled_verdict(45, 55, 100, 0.02) == "suspicious"
    assert settled_verdict(45, 55, 100, 0.02, 55) is None
