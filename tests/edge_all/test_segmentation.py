"""What `segment` promises, on synthetic smears whose truth is known."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_all.rendering import SmearSpec, render_field
from edge_all.results import RgbImage, Segmentation
from edge_all.segmentation import segment

GLASS = (225, 222, 210)
RED_CELL = (196, 140, 130)
CYTOPLASM = (150, 165, 205)
NUCLEUS = (78, 36, 130)
RED_RADIUS = 20


def smear(size: int = 360, ground: tuple[int, int, int] = GLASS, seed: int = 0, red_cells: bool = True) -> RgbImage:
    """Glass with red cells at the rim, so that the middle is free for white cells."""
    image = np.full((size, size, 3), ground, np.uint8)
    tint = np.array(ground) / np.array(GLASS)
    if red_cells:
        for place in range(RED_RADIUS + 5, size - RED_RADIUS, 2 * RED_RADIUS + 6):
            for x, y in ((place, 26), (place, size - 26), (26, place), (size - 26, place)):
                cv2.circle(image, (x, y), RED_RADIUS, tuple(float(v) for v in RED_CELL * tint), -1, cv2.LINE_AA)
    noise = np.random.default_rng(seed).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def draw(image: RgbImage, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    cv2.circle(image, (round(x), round(y)), round(radius), colour, -1, cv2.LINE_AA)


def draw_cell(image: RgbImage, x: float, y: float, radius: float, share: float = 0.75) -> None:
    draw(image, x, y, radius, CYTOPLASM)
    draw(image, x, y, share * radius, NUCLEUS)


def candidates(found: Segmentation) -> list[int]:
    return [cell.id for cell in found.cells if cell.kind == "candidate"]


def disc_mask(size: int, x: float, y: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:size, :size]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def check_contract(found: Segmentation, image: RgbImage) -> None:
    height, width = image.shape[:2]
    assert found.cell_labels.shape == found.nucleus_labels.shape == (height, width)
    assert found.cell_labels.dtype == found.nucleus_labels.dtype == np.uint16
    assert [cell.id for cell in found.cells] == list(range(1, len(found.cells) + 1))
    assert set(np.unique(found.cell_labels)) - {0} == {cell.id for cell in found.cells}
    inside = found.nucleus_labels > 0
    assert (found.nucleus_labels[inside] == found.cell_labels[inside]).all()
    for cell in found.cells:
        rows, columns = np.nonzero(found.cell_labels == cell.id)
        left, top = columns.min(), rows.min()
        assert cell.bbox == (left, top, columns.max() - left + 1, rows.max() - top + 1)
        assert cell.area == len(rows)
        assert cell.centroid == pytest.approx((columns.mean(), rows.mean()), abs=1e-6)
        assert cell.nucleus_area == np.count_nonzero(found.nucleus_labels == cell.id) > 0
        assert (cell.reason is None) == (cell.kind == "candidate")
    for labels, masks, boxes in (
        (found.cell_labels, found.cell_masks, [cell.bbox for cell in found.cells]),
        (found.nucleus_labels, found.nucleus_masks, [cell.nucleus_bbox for cell in found.cells]),
    ):
        for number, (mask, (x, y, w, h)) in enumerate(zip(masks, boxes, strict=True), start=1):
            assert mask.dtype == np.uint8
            assert (mask == (labels[y : y + h, x : x + w] == number)).all()


@pytest.mark.parametrize("level", [0, 1, 90, 200, 254, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (120, 120)])
def test_a_uniform_image_has_no_cells(level: int, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), level, np.uint8)
    found = segment(image)
    assert found.cells == ()
    assert not found.cell_labels.any()


@pytest.mark.parametrize("seed", range(3))
def test_noise_on_glass_has_no_candidates(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 6, (300, 300, 3))
    image = np.clip(np.array(GLASS) + noise, 0, 255).astype(np.uint8)
    assert candidates(segment(image)) == []


def test_red_cells_alone_have_no_candidates() -> None:
    """k-means always finds k clusters: the absolute test of colour has to say that none is a nucleus."""
    image = smear()
    for x in range(80, 300, 50):
        for y in range(80, 300, 50):
            draw(image, x, y, RED_RADIUS, RED_CELL)
    assert segment(image).cells == ()


def test_a_grey_image_does_not_fail() -> None:
    grey = cv2.cvtColor(cv2.cvtColor(smear(), cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    check_contract(segment(grey), grey)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    x=st.integers(140, 220),
    y=st.integers(140, 220),
    radius=st.integers(24, 44),
    ground=st.sampled_from([GLASS, (238, 232, 150), (190, 192, 180), (246, 228, 205), (170, 168, 150)]),
)
def test_a_cell_is_found_whole_on_any_ground(x: int, y: int, radius: int, ground: tuple[int, int, int]) -> None:
    image = smear(ground=ground)
    tint = np.array(ground) / np.array(GLASS)
    draw(image, x, y, radius, tuple(int(v) for v in CYTOPLASM * tint))
    draw(image, x, y, 0.75 * radius, tuple(int(v) for v in NUCLEUS * tint))
    found = segment(image)
    check_contract(found, image)
    assert len(candidates(found)) == 1
    number = candidates(found)[0]
    assert dice(found.nucleus_labels == number, disc_mask(360, x, y, 0.75 * radius)) > 0.93
    assert dice(found.cell_labels == number, disc_mask(360, x, y, radius)) > 0.93


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(angle=st.floats(0, math.pi), radius=st.integers(25, 34), overlap=st.floats(0.0, 0.12))
def test_two_touching_cells_are_two(angle: float, radius: int, overlap: float) -> None:
    image = smear()
    reach = radius * (1 - overlap)
    centres = [(180 + sign * reach * math.cos(angle), 180 + sign * reach * math.sin(angle)) for sign in (-1, 1)]
    for x, y in centres:
        draw_cell(image, x, y, radius, share=0.92)
    found = segment(image)
    numbers = [int(found.cell_labels[round(y), round(x)]) for x, y in centres]
    assert len(candidates(found)) == 2
    assert set(numbers) == set(candidates(found))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(turn=st.floats(0, 2 * math.pi), lobe=st.floats(8.5, 11.0))
def test_three_lobes_are_one_cell(turn: float, lobe: float) -> None:
    image = smear()
    draw(image, 180, 180, 36, (205, 180, 200))
    centres = [
        (180 + 17 * math.cos(turn + k * 2 * math.pi / 3), 180 + 17 * math.sin(turn + k * 2 * math.pi / 3))
        for k in range(3)
    ]
    for x, y in centres:
        draw(image, x, y, lobe, NUCLEUS)
    found = segment(image)
    assert len(candidates(found)) == 1
    assert {int(found.nucleus_labels[round(y), round(x)]) for x, y in centres} == set(candidates(found))


@pytest.mark.parametrize("magnification", [0.6, 1.0, 2.0, 3.5])
def test_magnification_needs_no_setting(magnification: float) -> None:
    image = smear()
    draw_cell(image, 130, 180, 30)
    draw_cell(image, 240, 180, 30)
    draw(image, 180, 100, 7, NUCLEUS)
    image = cv2.resize(image, None, fx=magnification, fy=magnification, interpolation=cv2.INTER_AREA).astype(np.uint8)
    found = segment(image)
    check_contract(found, image)
    assert len(candidates(found)) == 2
    small = [cell.reason for cell in found.cells if cell.kind == "rejected"]
    assert small == ["platelet"]


def test_microns_per_pixel_set_the_scale() -> None:
    image = smear(red_cells=False)
    draw_cell(image, 180, 180, 30)
    assert [cell.kind for cell in segment(image, microns_per_pixel=0.18).cells] == ["candidate"]
    assert [cell.reason for cell in segment(image, microns_per_pixel=0.05).cells] == ["platelet"]


def test_a_sliver_at_the_border_is_rejected_and_half_a_cell_is_not() -> None:
    image = smear(red_cells=False)
    draw_cell(image, 180, 180, 30)
    draw_cell(image, -18, 100, 30)
    draw_cell(image, 358, 250, 30)
    found = segment(image)
    assert {cell.centroid[0] > 300: cell.reason for cell in found.cells if not 100 < cell.centroid[0] < 300} == {
        False: "cut by the border",
        True: None,
    }


def test_cells_are_numbered_from_top_to_bottom() -> None:
    image = smear()
    for x, y in ((250, 110), (110, 180), (250, 250)):
        draw_cell(image, x, y, 28)
    found = segment(image)
    assert [round(cell.centroid[1], -1) for cell in found.cells] == [110, 180, 250]


def test_the_result_is_the_same_every_time_and_on_any_number_of_threads() -> None:
    image = smear(700)
    for k in range(6):
        draw_cell(image, 120 + 90 * k, 200 + 60 * (k % 2), 30, share=0.9)
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 4, 4):
            cv2.setNumThreads(count)
            results.append(segment(image))
    finally:
        cv2.setNumThreads(threads)
    for other in results[1:]:
        assert other.cells == results[0].cells
        assert (other.cell_labels == results[0].cell_labels).all()
        assert (other.nucleus_labels == results[0].nucleus_labels).all()


@pytest.mark.parametrize("lit_from_a_corner", [False, True])
def test_a_field_turned_or_mirrored_has_the_very_same_cells(lit_from_a_corner: bool) -> None:
    field = render_field(5, width=720, height=600, spec=SmearSpec(blasts=2, clumps=(3,))).pixels
    if lit_from_a_corner:
        fall = np.linspace(1, 0.8, 720)[None, :] * np.linspace(1, 0.9, 600)[:, None]
        field = np.rint(field * fall[..., None]).astype(np.uint8)
    usual = segment(field)
    described = sorted((cell.area, cell.kind, cell.glass, cell.outline_unsure) for cell in usual.cells)
    assert len(described) >= 5
    for quarters, mirrored in itertools.product(range(4), (False, True)):

        def turned(image: NDArray[np.generic], k: int = quarters, flip: bool = mirrored) -> NDArray[np.generic]:
            return np.ascontiguousarray(np.rot90(image[:, ::-1] if flip else image, k))

        other = segment(turned(field).astype(np.uint8))
        assert (turned(usual.nucleus_labels > 0) == (other.nucleus_labels > 0)).all()
        assert (turned(usual.cell_labels > 0) == (other.cell_labels > 0)).all()
        assert sorted((cell.area, cell.kind, cell.glass, cell.outline_unsure) for cell in other.cells) == described


def test_the_input_is_left_as_it_was() -> None:
    image = smear()
    draw_cell(image, 180, 180, 30)
    before = image.copy()
    segment(image)
    assert (image == before).all()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**32 - 1), st.integers(1, 90), st.integers(1, 90))
def test_any_pixels_give_a_consistent_result(seed: int, height: int, width: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    check_contract(segment(image), image)


@pytest.mark.parametrize(("seed", "x", "y"), [(0, 587, 160), (1, 188, 480), (2, 505, 310)])
def test_a_neutrophil_in_a_crop_with_few_red_cells_is_one_cell(seed: int, x: int, y: int) -> None:
    field = render_field(seed, width=720, height=720, spec=SmearSpec(neutrophils=4)).pixels
    crop = segment(field[y - 80 : y + 80, x - 80 : x + 80])
    in_the_middle = [cell for cell in crop.cells if max(abs(place - 80) for place in cell.centroid) < 40]
    assert len(in_the_middle) == 1
    assert crop.red_cell_radius == pytest.approx(segment(field).red_cell_radius, rel=0.4)
