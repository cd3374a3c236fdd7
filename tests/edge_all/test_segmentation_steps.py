"""The single steps of the segmentation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edge_all.segmentation.candidates import more_magenta, rejection_reason
from edge_all.segmentation.colour_clustering import (
    GROUND,
    ColourModel,
    cluster_colours,
    ground_colour,
    mean_of,
    nearest_centre,
    squared_distance,
    weighted_kmeans,
)
from edge_all.segmentation.doubts import UNCERTAIN
from edge_all.segmentation.illumination import light_of
from edge_all.segmentation.lab_levels import lab_levels
from edge_all.segmentation.nuclei import refine_nuclei
from edge_all.segmentation.numbered_cells import Found, assemble
from edge_all.segmentation.own_cytoplasm import CellColours, nuclei_in_cells
from edge_all.segmentation.red_rings import without_red_rings
from edge_all.segmentation.scale import red_cell_scale
from edge_all.segmentation.separation import cut_nuclei, separate
from edge_all.segmentation.shapes import extents_of, fill_holes


@given(
    hnp.arrays(np.float32, (40, 3), elements=st.floats(0, 100, width=32)),
    hnp.arrays(np.float32, 40, elements=st.floats(0.125, 8, width=32)),
)
@settings(deadline=None)
def test_kmeans_does_not_increase_the_weighted_error(
    points: np.ndarray[tuple[int, int], np.dtype[np.float32]], weights: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> None:
    start = np.array([[0, 0, 0], [50, 50, 50], [100, 100, 100]], np.float32)

    def error(centres: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> float:
        squared = ((points[:, None] - centres[None]) ** 2).sum(axis=2).min(axis=1)
        return float((squared * weights).sum())

    assert error(weighted_kmeans(points[None], weights[None], start[None])[0]) <= error(start) * 1.001 + 0.1


def test_kmeans_keeps_a_centre_that_has_no_points() -> None:
    points = np.zeros((5, 3), np.float32)
    start = np.array([[1, 1, 1], [90, 90, 90]], np.float32)
    centres = weighted_kmeans(points[None], np.ones((1, 5), np.float32), start[None])
    assert centres[0].tolist() == [[0, 0, 0], [90, 90, 90]]


def test_kmeans_of_several_sets_gives_each_what_it_gets_alone() -> None:
    rng = np.random.default_rng(3)
    sizes = (40, 90, 61, 1)
    points, weights = np.zeros((4, 90, 3), np.float32), np.zeros((4, 90), np.float32)
    start = rng.uniform(0, 100, (4, 3, 3)).astype(np.float32)
    for index, size in enumerate(sizes):
        # Sets that spread differently stop after different numbers of rounds.
        points[index, :size] = rng.normal(50, 5 + 20 * index, (size, 3))
        weights[index, :size] = rng.integers(1, 4, size)
    together = weighted_kmeans(points, weights, start)
    for index, size in enumerate(sizes):
        alone = weighted_kmeans(points[index : index + 1, :size], weights[index : index + 1, :size], start[index][None])
        np.testing.assert_allclose(together[index], alone[0], atol=1e-4)


def test_of_equally_near_centres_the_first_has_the_point() -> None:
    points = np.array([[0, 0, 0], [2, 0, 0], [1, 0, 0]], np.float32)
    start = np.array([[0, 0, 0], [2, 0, 0], [2, 0, 0]], np.float32)
    assert nearest_centre(points, start).tolist() == [0, 1, 0]
    # The point in the middle pulls the first centre; the third, twin of the second, has none.
    centres = weighted_kmeans(points[None], np.ones((1, 3), np.float32), start[None], rounds=1)
    assert centres[0].tolist() == [[0.5, 0, 0], [2, 0, 0], [2, 0, 0]]


def test_lab_is_that_of_opencv_for_every_colour() -> None:
    for reds in np.arange(256, dtype=np.uint8).reshape(32, 8):
        colours = np.stack(np.meshgrid(reds, np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8)), axis=-1)
        colours = colours.reshape(512, -1, 3)
        assert np.array_equal(lab_levels(colours), cv2.cvtColor(colours, cv2.COLOR_RGB2LAB))


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 300), st.just(3)), elements=st.floats(-100, 100, width=32)))
@settings(deadline=None)
def test_short_ways_give_what_numpy_gives_to_the_bit(
    points: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    assert mean_of(points).tolist() == points.mean(axis=0).tolist()
    centre = np.array([60, 1, -2], np.float32)
    assert squared_distance(points, centre).tolist() == ((points - centre) ** 2).sum(axis=1).tolist()


@pytest.mark.parametrize("levels", [(200, 120, 110), (201, 90, 31)])
def test_ground_is_a_median(levels: tuple[int, int, int]) -> None:
    noise = np.random.default_rng(1).integers(-3, 4, (90, 80, 3))
    image = (np.array(levels) + noise).astype(np.uint8)
    assert ground_colour(image).tolist() == np.median(image.reshape(-1, 3), axis=0).tolist()


def test_ground_is_the_brightest_colour_of_some_extent() -> None:
    image = np.full((100, 100, 3), (200, 120, 110), np.uint8)
    image[:30] = (230, 225, 160)
    image[0, :20] = 255
    assert ground_colour(image).tolist() == [230, 225, 160]


def smear_of_red_cells(pitch: int, *, glass_between: float = 0.0) -> NDArray[np.float32]:
    """Distance from the ground's colour over a grid of red cells of radius 12 with pale centres.

    Args:
        pitch: pixels from cell to cell.
        glass_between: what the blur leaves between them.
    """
    colours = np.full((300, 300), glass_between, np.float32)
    for x in range(20, 290, pitch):
        for y in range(20, 290, pitch):
            cv2.circle(colours, (x, y), 12, 20.0, -1)
            cv2.circle(colours, (x, y), 3, 0.0, -1)
    return colours


NO_NUCLEI = np.zeros((300, 300), np.uint8)


def test_red_cells_set_the_scale_where_there_are_many() -> None:
    scale = red_cell_scale(smear_of_red_cells(30), 7.0, NO_NUCLEI, 30.0, 25.0)
    assert scale.radius == pytest.approx(12, rel=0.15)
    assert scale.error < 0.1


def test_red_cells_so_near_that_the_blur_fills_the_gaps_are_told_apart() -> None:
    crowded = smear_of_red_cells(26, glass_between=8.0)
    assert red_cell_scale(crowded, 7.0, NO_NUCLEI, 16.0, 16.0).radius == pytest.approx(12, rel=0.15)


def test_a_clump_of_nuclei_does_not_outvote_red_cells() -> None:
    colours = smear_of_red_cells(45)  # 36 of them
    assert red_cell_scale(colours, 7.0, NO_NUCLEI, 29.0, 20.0).radius == pytest.approx(12, rel=0.12)


def test_white_cells_set_the_scale_where_there_are_no_red_ones() -> None:
    nothing = np.zeros((100, 100), np.float32)
    scale = red_cell_scale(nothing, 7.0, np.zeros((100, 100), np.uint8), 25.0, 25.0)
    assert scale.radius == pytest.approx(20)
    assert scale.error == pytest.approx(0.25)


def test_red_cells_with_large_pale_centres_are_measured_whole() -> None:
    colours = np.zeros((300, 300), np.float32)
    for x in range(30, 280, 60):
        for y in range(30, 280, 60):
            cv2.circle(colours, (x, y), 24, 20.0, 8)
    assert red_cell_scale(colours, 7.0, NO_NUCLEI, 29.0, 20.0).radius == pytest.approx(28, rel=0.1)


def test_specks_around_a_cell_that_fills_its_picture_are_no_red_cells() -> None:
    specks = cv2.resize(smear_of_red_cells(45), (75, 75), interpolation=cv2.INTER_AREA)
    scale = red_cell_scale(specks, 7.0, np.zeros((75, 75), np.uint8), 25.0, 25.0)
    assert scale.radius == pytest.approx(20, rel=0.15)
    assert scale.error > UNCERTAIN


def test_rims_of_red_cells_are_no_nuclei_and_a_nucleus_that_is_a_ring_stays() -> None:
    picture = np.full((300, 300, 3), 235, np.uint8)
    cv2.circle(picture, (150, 150), 30, (110, 30, 120), -1)
    alone = picture.copy()
    cv2.circle(alone, (60, 60), 20, (100, 70, 165), 8)
    for x, y in ((60, 60), (240, 60), (60, 240)):
        cv2.circle(picture, (x, y), 20, (100, 70, 165), 8)
    cv2.ellipse(picture, (240, 240), (20, 20), 0, 0, 200, (100, 70, 165), 8)
    cleaned, seen = (without_red_rings(*nuclei_of(one)) for one in (picture, alone))
    assert cleaned[150, 150] == 1
    assert np.count_nonzero(cleaned) == pytest.approx(np.pi * 30**2, rel=0.1)
    assert seen[60, 80] == 1


def nuclei_of(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint16], ColourModel]:
    model, keys = cluster_colours(picture)
    nuclei = model.nucleus_table.take(keys)
    assert nuclei[60, 80] == 1
    return nuclei, keys, model


def lit_field(loss: float) -> NDArray[np.uint8]:
    """Glass with dark cells, darker towards the corners by a share."""
    field = np.full((300, 400, 3), 220.0)
    for x in range(25, 400, 50):
        for y in range(25, 300, 50):
            cv2.circle(field, (x, y), 14, (150, 110, 120), -1)
    rows, columns = np.linspace(-1, 1, 300)[:, None], np.linspace(-1, 1, 400)
    field *= (1 - loss * (rows**2 + columns**2) / 2)[..., None]
    return np.rint(field).astype(np.uint8)


def test_light_that_falls_off_is_evened_out_and_even_light_is_left_alone() -> None:
    assert light_of(lit_field(0.0)) is None
    assert light_of(lit_field(0.1)) is None
    uneven = lit_field(0.5)
    light = light_of(uneven)
    assert light is not None
    evened = light.evened(uneven)
    beside, middle = float(evened[50, 50, 1]), float(evened[150, 200, 1])
    assert beside == pytest.approx(middle, rel=0.06)
    # What cells look like beside their glass stays.
    assert float(evened[25, 25, 1]) / float(evened[25, 45, 1]) == pytest.approx(0.5, abs=0.04)


def test_the_light_of_a_crop_without_glass_at_its_sides_is_left_alone() -> None:
    crop = np.full((120, 120, 3), 120, np.uint8)
    crop[40:80, 40:80] = 230
    assert light_of(crop) is None


def test_a_dumb_bell_is_cut_at_its_waist() -> None:
    nuclei = np.zeros((120, 200), np.uint8)
    cv2.circle(nuclei, (65, 60), 32, 1, -1)
    cv2.circle(nuclei, (132, 60), 32, 1, -1)
    numbered = separate(cut_nuclei(nuclei, 24.0, 100.0), nuclei, 24.0, 100.0)
    parts, cells = numbered.nuclei, numbered.cells
    assert numbered.count == 2
    assert parts[60, 65] != parts[60, 132]
    columns = np.flatnonzero(np.diff(parts[60, 40:160])) + 40
    assert abs(int(columns[0]) - 98) <= 2
    assert ((parts > 0) == (nuclei > 0)).all()
    assert (parts == cells).all()


def test_a_bean_is_not_cut() -> None:
    nuclei = np.zeros((120, 200), np.uint8)
    cv2.ellipse(nuclei, (100, 60), (44, 30), 0, 0, 360, 1, -1)
    cv2.circle(nuclei, (100, 20), 14, 0, -1)
    assert separate(cut_nuclei(nuclei, 30.0, 100.0), nuclei, 30.0, 100.0).count == 1


def test_an_object_whose_nucleus_another_has_takes_nothing() -> None:
    cell = np.ones((10, 10), np.uint8)
    hidden = np.zeros((20, 10), np.uint8)
    hidden[5:8, 3:6] = 1
    objects = [
        Found(cell, cell, 0, 0, None),
        Found(hidden, np.ones((20, 10), np.uint8), 0, 0, None),
        Found(cell, cell, 0, 12, None),
    ]
    found = assemble(objects, 1, 2.0, (40, 40))
    assert [cell.bbox for cell in found.cells] == [(0, 0, 10, 10), (0, 12, 10, 10)]
    assert [cell.area for cell in found.cells] == [100, 100]


def test_small_holes_are_filled_and_large_ones_are_not() -> None:
    mask = np.ones((60, 60), np.uint8)
    mask[5:8, 5:8] = 0
    mask[20:40, 20:40] = 0
    fill_holes(mask, 50)
    assert mask[6, 6] == 1
    assert mask[30, 30] == 0


@pytest.mark.parametrize(
    ("radius", "box", "reason"),
    [
        (1.2, (100, 100, 60, 60), None),
        (0.4, (100, 100, 20, 20), "platelet"),
        (6.0, (100, 100, 200, 200), "too large"),
        (1.2, (0, 100, 15, 60), "cut by the border"),
        (1.2, (0, 100, 50, 60), None),
        (1.2, (100, 385, 60, 15), "cut by the border"),
    ],
)
def test_reasons(radius: float, box: tuple[int, int, int, int], reason: str | None) -> None:
    assert rejection_reason(radius, box, (500, 400), 1) == reason


def test_magenta_is_relative_to_the_field() -> None:
    assert more_magenta([0.84, 0.83, 0.70, None, 0.85]) == [2]
    assert more_magenta([0.70, 0.71, 0.70]) == []
    assert more_magenta([0.84, 0.70]) == []


def test_extents_of_numbers_in_a_part_of_an_image() -> None:
    numbered = np.zeros((6, 9), np.uint16)
    numbered[1:4, 2:8] = 1
    numbered[5, 0] = 3
    where = np.ones((6, 9), np.bool_)
    where[:, 7] = False
    sizes, extents = extents_of(numbered, where, 4)
    assert sizes.tolist() == [54 - 6 - 15 - 1, 15, 0, 1]
    assert extents[:, 1].tolist() == [1, 3, 2, 6]
    assert extents[:, 3].tolist() == [5, 5, 0, 0]
    assert extents[1, 2] < extents[0, 2]


def nucleus(x: int, hue: float, *, frayed: bool) -> Found:
    """A nucleus in its cell, round or with a frayed rim, at column x."""
    whole = np.zeros((80, 80), np.uint8)
    cv2.circle(whole, (40, 40), 36, 1, -1)
    mask = np.zeros_like(whole)
    cv2.circle(mask, (40, 40), 24, 1, -1)
    if frayed:
        for turn in np.arange(0, 2 * np.pi, np.pi / 7):
            cv2.circle(mask, (int(40 + 25 * np.cos(turn)), int(40 + 25 * np.sin(turn))), 4, 0, -1)
    return Found(mask, whole, x, 10, hue)


@pytest.mark.parametrize(
    ("hue", "frayed", "reason"),
    [(0.3, True, "smudge"), (0.3, False, None), (0.52, True, None), (0.52, False, None)],
    ids=["magenta and frayed", "magenta and smooth", "as the others and frayed", "as the others and smooth"],
)
def test_a_smudge_is_both_more_magenta_than_its_neighbours_and_frayed(
    hue: float, frayed: bool, reason: str | None
) -> None:
    others = [nucleus(100 * number, 0.5, frayed=False) for number in range(1, 5)]
    cells = assemble([nucleus(0, hue, frayed=frayed), *others], 1, 24.0, (100, 500)).cells
    (cell,) = (cell for cell in cells if cell.bbox[0] < 80)
    assert cell.reason == reason
    assert [other.reason for other in cells if other is not cell] == [None] * 4


def test_a_pale_nucleus_beside_a_dark_one_is_not_lost() -> None:
    lab = np.tile(GROUND, (160, 300, 1)).astype(np.float32)
    seed = np.zeros((160, 300), np.uint8)
    for x, radius, colour in ((90, 45, (30.0, 45.0, -55.0)), (220, 35, (52.0, 14.0, -26.0))):
        mask = cv2.circle(np.zeros_like(seed), (x, 80), radius, 1, -1)
        seed |= mask.astype(np.uint8)
        lab[mask > 0] = colour
    cv2.circle(seed, (160, 20), 2, 1, -1)
    lab += np.random.default_rng(0).normal(0, 1, lab.shape).astype(np.float32)
    (refined,) = refine_nuclei([(lab, seed)], cell_radius=100.0)
    assert refined[80, 90] == 1
    assert refined[80, 220] == 1
    assert refined[20, 160] == 0, "a speck is no nucleus"


def discs(*radii: int) -> list[NDArray[np.uint8]]:
    """Discs around the middle of a picture of 80 x 80 pixels."""
    y, x = np.mgrid[:80, :80]
    return [((x - 40) ** 2 + (y - 40) ** 2 <= radius**2).astype(np.uint8) for radius in radii]


@pytest.mark.parametrize("first", [17, 20, 23])
def test_a_nucleus_ends_where_its_own_cytoplasm_begins(first: int) -> None:
    true, cell, guess = discs(20, 30, first)
    lab = np.empty((80, 80, 3), np.float32)
    lab[:] = GROUND
    lab[cell > 0] = 55, 10, -30
    lab[true > 0] = 35, 35, -45
    lab += np.random.default_rng(0).normal(0, 2, lab.shape).astype(np.float32)
    (found,) = nuclei_in_cells([CellColours(lab, guess, cell)])
    assert np.count_nonzero(found != true) < 0.02 * np.count_nonzero(true)


def test_a_nucleus_without_cytoplasm_stays() -> None:
    nucleus, cell = discs(20, 20)
    lab = np.random.default_rng(0).normal(40, 5, (80, 80, 3)).astype(np.float32)
    (found,) = nuclei_in_cells([CellColours(lab, nucleus, cell)])
    assert np.array_equal(found, nucleus)


def test_nuclei_told_together_are_as_each_by_itself() -> None:
    true, cell, guess = discs(20, 30, 23)
    noise = np.random.default_rng(0).normal(40, 5, (80, 80, 3)).astype(np.float32)
    cells = [
        CellColours(noise + np.float32(shade) * true[..., None], nucleus, cell)
        for shade, nucleus in ((-12, guess), (0, cell), (9, guess))
    ]
    together = nuclei_in_cells(cells)
    for one, found in zip(cells, together, strict=True):
        assert np.array_equal(found, nuclei_in_cells([one])[0])
    assert nuclei_in_cells([]) == []


def test_the_exact_nucleus_is_reported_and_the_first_one_says_what_it_is() -> None:
    first, exact, cell = discs(6, 14, 25)
    found = assemble([Found(first, cell, 0, 0, None, None, exact)], 1, 15.0, (80, 80))
    assert found.cells[0].reason == "platelet"
    assert found.cells[0].nucleus_area == np.count_nonzero(exact)
    assert np.array_equal(found.nucleus_labels > 0, exact > 0)
