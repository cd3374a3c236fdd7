"""What can be judged passes, what cannot is turned away with its reason, and nothing in between is silent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_all.imaging import read_image
from edge_all.quality import _block_borders, _steepest, assess_quality
from edge_all.results import RgbImage

Change = Callable[[RgbImage], np.ndarray[Any, Any]]


@cache
def _field(white_cells: int, width: int, height: int, seed: int) -> RgbImage:
    rng = np.random.default_rng(seed)
    unit = width / 640
    image = np.full((height, width, 3), (200, 198, 190), np.float32)
    for count, radius, colour in (
        (120, 22, (190, 150, 150)),
        (white_cells, 40, (150, 140, 190)),
        (white_cells, 28, (90, 40, 130)),
    ):
        centres = np.random.default_rng(7).uniform(0, 1, (count, 2)) if radius != 22 else rng.uniform(0, 1, (count, 2))
        for x, y in centres:
            cv2.circle(image, (int(x * width), int(y * height)), int(radius * unit), colour, -1, cv2.LINE_AA)
    image = cv2.GaussianBlur(image, (0, 0), 1.2 * unit) + rng.normal(0, 1.5, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def field(white_cells: int = 5, width: int = 640, height: int = 480, seed: int = 0) -> RgbImage:
    """A plain smear: red cells, and white cells with nuclei."""
    return _field(white_cells, width, height, seed)


def scaled(factor: float) -> Change:
    return lambda image: np.clip(image * float(factor), 0, 255)


def blurred(sigma: float) -> Change:
    return lambda image: cv2.GaussianBlur(image, (0, 0), sigma)


def noisy(sigma: float) -> Change:
    return lambda image: np.clip(image + np.random.default_rng(1).normal(0, sigma, image.shape), 0, 255)


def compressed(quality: int) -> Change:
    def change(image: RgbImage) -> RgbImage:
        _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)

    return change


def paler(share: float) -> Change:
    return lambda image: 195 + share * (image.astype(float) - 195)


def assess(image: RgbImage, *changes: Change) -> tuple[bool, str]:
    for change in changes:
        image = change(image).astype(np.uint8)
    quality = assess_quality(image)
    return quality.usable, " ".join(quality.reasons + quality.warnings)


@pytest.mark.parametrize(
    ("size", "white_cells"),
    [
        *(((640, 480), count) for count in (0, 1, 5, 30)),
        *(((1300, 970), count) for count in (0, 30)),
        ((2600, 1940), 1),
    ],
)
def test_a_good_field_passes_at_any_resolution_and_with_any_number_of_white_cells(
    size: tuple[int, int], white_cells: int
) -> None:
    assert assess(field(white_cells, *size)) == (True, "")


@pytest.mark.parametrize("quality", [60, 75, 95])
def test_a_fair_compression_and_a_full_exposure_are_no_cause_for_a_warning(quality: int) -> None:
    assert assess(field(), compressed(quality)) == (True, "")
    assert assess(field(), scaled(1.25)) == (True, "")


def test_a_crop_of_one_cell_passes() -> None:
    image = np.full((120, 120, 3), 200, np.uint8)
    cv2.circle(image, (60, 60), 40, (150, 140, 190), -1)
    cv2.circle(image, (60, 60), 28, (90, 40, 130), -1)
    assert assess(image, blurred(1)) == (True, "")
    assert assess(np.kron(image, np.ones((6, 6, 1), np.uint8)), blurred(6)) == (True, "")


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        ("black", [scaled(0)]),
        ("white", [scaled(100)]),
        ("too dark", [scaled(0.15)]),
        ("out of focus", [blurred(9)]),
        ("out of focus", [blurred(9), noisy(4)]),
        ("grey", [lambda image: image.mean(axis=2, keepdims=True).repeat(3, axis=2)]),
        ("one colour", [lambda image: image * np.array([1, 0, 0]), scaled(1.3)]),
        ("No stained smear", [paler(0.03)]),
        ("No stained smear", [lambda image: np.full_like(image, 220), noisy(3)]),
        ("No stained smear", [lambda image: np.full_like(image, 128), noisy(60)]),
        ("noise", [noisy(70)]),
    ],
)
def test_what_cannot_be_judged_is_turned_away_with_the_reason(reason: str, changes: list[Change]) -> None:
    usable, text = assess(field(), *changes)
    assert not usable
    assert reason in text
    assert text.count(".") >= 1


@pytest.mark.parametrize(
    ("warning", "changes"),
    [
        ("dark", [scaled(0.4)]),
        ("focus", [blurred(2.8)]),
        ("pale", [paler(0.2)]),
        ("noisy", [noisy(25)]),
        ("saturated", [lambda _: np.where(field(10).min(axis=2, keepdims=True) > 120, 255, field(10))]),
        ("no specimen", [lambda image: image * (np.hypot(*np.ogrid[-1:1:480j, -1:1:640j]) < 1)[..., None]]),
        ("cast", [lambda image: image * np.array([1, 0.9, 0.4])]),
        ("saturated in one colour", [scaled(1.6)]),
        ("JPEG", [compressed(6)]),
    ],
)
def test_what_is_poor_is_judged_with_a_warning(warning: str, changes: list[Change]) -> None:
    usable, text = assess(field(), *changes)
    assert usable, text
    assert warning in text


@pytest.mark.parametrize("worsen", [blurred, lambda step: scaled(1 / step), lambda step: paler(1 / step)])
def test_from_good_over_poor_to_unusable_without_a_way_back(worsen: Callable[[float], Change]) -> None:
    order = {(True, False): 0, (True, True): 1, (False, True): 2}
    course = []
    for step in (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0, 12.0, 20.0, 40.0):
        usable, text = assess(field(), worsen(step))
        course.append(order[usable, bool(text)])
    assert course == sorted(course)
    assert set(course) == {0, 1, 2}


def test_a_round_field_of_view_is_measured_inside() -> None:
    inside = np.hypot(*np.ogrid[-1:1:480j, -1.33:1.33:640j]) < 1
    plain, round_view = field(), field() * inside[..., None].astype(np.uint8)
    metrics, round_metrics = assess_quality(plain).metrics, assess_quality(round_view).metrics
    assert round_metrics["edge_width"] == pytest.approx(metrics["edge_width"], rel=0.15)
    assert round_metrics["exposure"] == pytest.approx(metrics["exposure"], abs=0.02)
    assert round_metrics["clipped_black"] < 0.02
    assert round_metrics["specimen"] == pytest.approx(inside.mean(), abs=0.03)


def test_focus_does_not_depend_on_light_stain_or_number_of_cells() -> None:
    widths = [
        assess_quality(image).metrics["edge_width"]
        for image in (
            field(),
            field(white_cells=30),
            scaled(0.6)(field()).astype(np.uint8),
            paler(0.5)(field()).astype(np.uint8),
        )
    ]
    assert max(widths) / min(widths) < 1.25


@pytest.mark.parametrize(("height", "width", "block"), [(64, 96, 32), (75, 110, 32), (20, 90, 20), (1, 5, 1)])
def test_gradients_of_chosen_blocks_are_those_of_the_whole_image(height: int, width: int, block: int) -> None:
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (height, width)).astype(np.uint8)
    chosen = rng.random((height // block, width // block)) < 0.6
    chosen[-1, -1] = True
    steepness = np.hypot(*(cv2.Sobel(image, cv2.CV_64F, dx, 1 - dx) / 8 for dx in (0, 1)))
    expected = [
        steepness[row * block : (row + 1) * block, column * block : (column + 1) * block].max()
        for row, column in zip(*np.nonzero(chosen), strict=True)
    ]
    assert _steepest(image, chosen, block) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (75, 110), (900, 1300), (9, 9), (8, 40), (40, 8)])
def test_block_borders_are_the_larger_steps_of_every_eighth_row_and_column(height: int, width: int) -> None:
    image = np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)
    green = image[..., 1].astype(float)
    ratios = []
    for lines in (green[:: max(1, height // 240)], green.T[:: max(1, width // 240)]):
        steps = np.abs(np.diff(lines, axis=1)).mean(axis=0)
        places = [steps[start::8].mean() for start in range(8)] if len(steps) >= 8 else [1.0]
        ratios.append(max(places) / max(0.05, np.median(places)))
    assert _block_borders(image) == pytest.approx(min(ratios) if min(height, width) > 8 else 1.0)


def test_the_same_image_gets_the_same_figures() -> None:
    assert assess_quality(field()) == assess_quality(field().copy())


def test_figures_are_ready_for_json() -> None:
    quality = assess_quality(field())
    assert set(quality.metrics) == {
        "edge_width", "exposure", "clipped_white", "clipped_black", "stain", "colour", "cast", "saturated",
        "saturated_stain", "blocks", "noise", "specimen", "pen",
    }  # fmt: skip
    assert all(type(value) is float and np.isfinite(value) for value in quality.metrics.values())
    assert dataclasses.asdict(quality)["usable"] is True


@settings(max_examples=60, deadline=None)
@given(
    image=arrays.arrays(
        np.uint8,
        st.tuples(st.integers(32, 90), st.integers(32, 90), st.just(3)),
        elements=st.integers(0, 255),
        fill=st.integers(0, 255),
    )
)
def test_any_image_gets_an_answer(image: RgbImage) -> None:
    quality = assess_quality(image)
    assert quality.usable == (not quality.reasons)
    assert all(np.isfinite(value) for value in quality.metrics.values())


@pytest.mark.parametrize("size", [(32, 32), (33, 5000), (5000, 33), (1301, 1299)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    assert not assess_quality(np.full((*size, 3), 200, np.uint8)).usable


@pytest.mark.data
@pytest.mark.parametrize(
    ("pattern", "step", "sigma"),
    [
        ("allidb1/fields/*.jpg", 8, 16),
        ("allidb2/crops/*.tif", 8, 8),
        ("bccd/images/*", 12, 8),
        ("segmentation_wbc/dataset1/*.bmp", 8, 8),
        ("segmentation_wbc/dataset2/*.bmp", 4, 8),
        ("pbc_lymphocytes/*.jpg", 25, 8),
    ],
)
def test_real_images_pass_and_gross_defocus_of_the_same_does_not(
    data_root: Path, pattern: str, step: int, sigma: float
) -> None:
    paths = sorted(data_root.glob(pattern))[::step]
    assert len(paths) >= 8
    for path in paths:
        image = read_image(path)
        assert assess(image)[0], path
        assert not assess(image, blurred(sigma))[0], path
        assert not assess(image, scaled(0.15))[0], path
