from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.files.run_folder import RunFolder
from edge_all.imaging.display import CELL_SIDE
from edge_all.outputs.thumbnails import OUTSIDE, cell_picture, save_thumbnails
from edge_all.preprocessing import PreprocessingSpec, crop_cell, crop_cells, crop_window
from edge_all.results import Cell, FieldResult


def cell(number: int, x: int, y: int, kind: str = "candidate") -> Cell:
    box = (x, y, 40, 40)
    middle = (x + 20.0, y + 20.0)
    return Cell(number, box, middle, 1600, box, middle, 1600, kind, contour=((x, y), (x + 39, y), (x + 39, y + 39)))  # type: ignore[arg-type]


FIELD = FieldResult("a.jpg", "s", "ok", width=300, height=200)


def test_each_candidate_has_its_square(tmp_path: Path) -> None:
    pixels = np.full((200, 300, 3), 220, np.uint8)
    pixels[100:140, 200:240] = (120, 40, 160)
    result = dataclasses.replace(FIELD, cells=(cell(3, 200, 100), cell(4, 0, 0), cell(5, 50, 50, "rejected")))
    squares = crop_cells(pixels, result.candidates, None, PreprocessingSpec(CELL_SIDE, 2.0))
    save_thumbnails(RunFolder.for_images(tmp_path, ["a.jpg"]), result, squares, 2.0)
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == ["a.0003.jpg", "a.0004.jpg"]
    picture = cv2.imread(str(tmp_path / "crops" / "a.0003.jpg"))
    assert picture is not None
    assert picture.shape == (CELL_SIDE, CELL_SIDE, 3)
    middle, corner = picture[CELL_SIDE // 2, CELL_SIDE // 2, ::-1], picture[4, 4, ::-1]
    assert np.abs(middle.astype(int) - (120, 40, 160)).max() < 12
    assert np.abs(corner.astype(int) - 220).max() < 12
    purple = (picture[..., 1] < 130).mean()
    assert abs(purple - 0.25) < 0.03, "a factor of 2 shows the nucleus in a quarter of the picture"


@pytest.mark.parametrize(
    ("x", "y", "nucleus"),
    [(-7, 30, 41), (0, 0, 40), (266, 150, 33), (259, 161, 39), (120, 90, 40), (-20, 185, 37)],
)
@pytest.mark.parametrize("size", [CELL_SIDE, 299])
def test_grey_is_what_lies_outside_the_field_and_nothing_else(x: int, y: int, nucleus: int, size: int) -> None:
    pixels = np.random.default_rng(2).integers(90, 160, (200, 300, 3)).astype(np.uint8)
    one = dataclasses.replace(cell(1, x, y), nucleus_bbox=(x, y, nucleus, nucleus))
    # The truth: the same square of an image that is 1 inside the field and, all around it, 0.
    inside = np.zeros((400, 500), np.uint8)
    inside[100:300, 100:400] = 1
    window = crop_window(inside, (x + 100, y + 100, nucleus, nucleus), 2.5)
    expected = cv2.resize(window, (CELL_SIDE, CELL_SIDE), interpolation=cv2.INTER_NEAREST_EXACT)
    square = crop_cell(pixels, one, None, PreprocessingSpec(size, 2.5))
    before = square.copy()
    picture = cell_picture(square, one, FIELD, 2.5)
    assert np.array_equal((picture == OUTSIDE).all(2), expected == 0)
    assert np.array_equal(square, before), "the network's own crop was drawn on"


def test_the_crop_of_the_embedded_network_is_shown_as_it_is() -> None:
    square = np.random.default_rng(3).integers(0, 255, (CELL_SIDE, CELL_SIDE, 3)).astype(np.uint8)
    assert np.array_equal(cell_picture(square, cell(1, 120, 90), FIELD, 2.0), square)
