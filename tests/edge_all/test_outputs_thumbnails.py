from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.outputs.thumbnails import OUTSIDE, THUMBNAIL_SIDE, cell_picture, save_thumbnails, thumbnail_path
from edge_all.preprocessing import Background, PreprocessingSpec, crop_cell, crop_cells, crop_window
from edge_all.results import Cell, FieldResult


def cell(number: int, x: int, y: int, kind: str = "candidate") -> Cell:
    box = (x, y, 40, 40)
    middle = (x + 20.0, y + 20.0)
    return Cell(number, box, middle, 1600, box, middle, 1600, ((x, y), (x + 39, y), (x + 39, y + 39)), kind)  # type: ignore[arg-type]


def test_each_candidate_has_its_square(tmp_path: Path) -> None:
    pixels = np.full((200, 300, 3), 220, np.uint8)
    pixels[100:140, 200:240] = (120, 40, 160)
    result = FieldResult(
        "a.jpg", "s", "ok", width=300, height=200, cells=(cell(3, 200, 100), cell(4, 0, 0), cell(5, 50, 50, "rejected"))
    )
    # The network may want its ground blanked; a reader wants to see the neighbours.
    spec = PreprocessingSpec(32, 2.0, "blank")
    crops = crop_cells(pixels, result.candidates, np.zeros((200, 300), np.uint16), spec)
    paths = save_thumbnails(tmp_path / "crops", "a", pixels, result, crops, spec)
    assert paths == {number: thumbnail_path(tmp_path / "crops", "a", number) for number in (3, 4)}
    picture = cv2.imread(str(paths[3]))
    assert picture is not None
    assert picture.shape == (THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3)
    middle, corner = picture[THUMBNAIL_SIDE // 2, THUMBNAIL_SIDE // 2, ::-1], picture[4, 4, ::-1]
    assert np.abs(middle.astype(int) - (120, 40, 160)).max() < 12
    assert np.abs(corner.astype(int) - 220).max() < 12
    purple = (picture[..., 1] < 130).mean()
    assert abs(purple - 0.25) < 0.03, "a factor of 2 shows the nucleus in a quarter of the picture"


@pytest.mark.parametrize(
    ("x", "y", "nucleus"),
    [(-7, 30, 41), (0, 0, 40), (266, 150, 33), (259, 161, 39), (120, 90, 40), (-20, 185, 37)],
)
@pytest.mark.parametrize("size", [32, THUMBNAIL_SIDE, 299])
def test_grey_is_what_lies_outside_the_field_and_nothing_else(x: int, y: int, nucleus: int, size: int) -> None:
    pixels = np.random.default_rng(2).integers(90, 160, (200, 300, 3)).astype(np.uint8)
    one = dataclasses.replace(cell(1, x, y), nucleus_bbox=(x, y, nucleus, nucleus))
    spec = PreprocessingSpec(size, 2.5)
    # The truth: the same square of an image that is 1 inside the field and, all around it, 0.
    inside = np.zeros((400, 500), np.uint8)
    inside[100:300, 100:400] = 1
    window = crop_window(inside, (x + 100, y + 100, nucleus, nucleus), spec.factor)
    expected = cv2.resize(window, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    crop = crop_cell(pixels, one, None, spec)
    before = crop.copy()
    picture = cell_picture(pixels, one, crop, spec)
    assert np.array_equal((picture == OUTSIDE).all(2), expected == 0)
    assert np.array_equal(crop, before), "the network's own crop was drawn on"


@pytest.mark.parametrize("size", [64, THUMBNAIL_SIDE, 299])
@pytest.mark.parametrize("background", ["keep", "blank"])
def test_the_picture_is_the_same_square_whatever_the_network_is_given(size: int, background: Background) -> None:
    noise = np.random.default_rng(3).integers(0, 255, (25, 38, 3)).astype(np.uint8)
    pixels = np.asarray(cv2.resize(noise, (300, 200), interpolation=cv2.INTER_CUBIC), np.uint8)
    one, spec = cell(1, 120, 90), PreprocessingSpec(size, 2.0, background)
    crop = crop_cell(pixels, one, np.zeros((200, 300), np.uint16), spec)
    picture = cell_picture(pixels, one, crop, spec)
    expected = cv2.resize(pixels[70:150, 100:180], (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_LINEAR)
    assert np.abs(picture.astype(int) - expected).mean() < 2, "neighbours are missing, or the square is another"
    if size == THUMBNAIL_SIDE and background == "keep":
        assert np.array_equal(picture, crop), "a crop of this size is shown as it is"
