from __future__ import annotations

import colorsys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.errors import OutputError
from edge_all.files.run_folder import RunFolder
from edge_all.imaging.display import CELL_SIDE
from edge_all.outputs.activation_maps import HALF_COLOUR, STRONGEST, paint_activation
from edge_all.outputs.activation_maps import save_activation_maps as save
from edge_all.outputs.palette import PALETTE
from edge_all.preprocessing import PreprocessingSpec, crop_cells
from edge_all.results import Cell, FieldResult

SPEC = PreprocessingSpec(CELL_SIDE, 2.0)
MAUVE = np.full((100, 100, 3), (180, 60, 170), np.uint8)


def flat(value: float) -> np.ndarray:
    return np.full((5, 5), value, np.float32)


def cell(number: int, x: int, y: int, kind: str = "candidate") -> Cell:
    box, middle = (x, y, 40, 40), (x + 20.0, y + 20.0)
    return Cell(number, box, middle, 1600, box, middle, 1600, kind, contour=((x, y), (x + 39, y), (x + 39, y + 39)))  # type: ignore[arg-type]


def test_a_cell_in_which_nothing_speaks_for_all_has_no_colour() -> None:
    painted = paint_activation(MAUVE, flat(0))
    assert painted.shape == MAUVE.shape
    assert painted.dtype == np.uint8
    assert (painted == painted[..., :1]).all()
    assert painted[0, 0, 0] == cv2.cvtColor(MAUVE, cv2.COLOR_RGB2GRAY)[0, 0]


def test_colour_grows_with_what_speaks_for_all_and_never_hides_the_cell() -> None:
    grey = float(cv2.cvtColor(MAUVE, cv2.COLOR_RGB2GRAY)[0, 0])
    goal = np.array(PALETTE["ALL"], float)
    shares = []
    for value in (0.0, 1.0, HALF_COLOUR, 8.0, 20.0, 1000.0):
        painted = paint_activation(MAUVE, flat(value))[50, 50].astype(float)
        shares.append(float(np.median((painted - grey) / (goal - grey))))
    assert shares == sorted(shares)
    assert shares[2] == pytest.approx(STRONGEST / 2, abs=0.02)
    assert shares[-1] == pytest.approx(STRONGEST, abs=0.02)
    hue = colorsys.rgb_to_hsv(*(paint_activation(MAUVE, flat(20))[50, 50] / 255))[0]
    assert hue == pytest.approx(colorsys.rgb_to_hsv(*(goal / 255))[0], abs=0.02)


@pytest.mark.parametrize("side", [2, 5, 8])
def test_colour_lies_where_the_map_says(side: int) -> None:
    activation = np.zeros((side, side), np.float32)
    activation[0, -1] = 10
    painted = paint_activation(MAUVE, activation).astype(int)
    colour = painted.max(2) - painted.min(2)
    strongest = np.unravel_index(colour.argmax(), colour.shape)
    assert strongest[0] < 100 / side
    assert strongest[1] >= 100 - 100 / side
    assert colour[-10:, :10].max() == 0, "no wave runs over from the peak to the other end"


def test_each_candidate_with_a_map_has_its_picture(tmp_path: Path) -> None:
    pixels = np.full((200, 300, 3), 220, np.uint8)
    cells = (cell(1, 200, 100), cell(2, 100, 100), cell(3, 0, 0), cell(4, 50, 50, "rejected"))
    result = FieldResult("a.jpg", "s", "ok", width=300, height=200, cells=cells)
    squares = crop_cells(pixels, result.candidates, None, SPEC)
    save(RunFolder.for_images(tmp_path, ["a.jpg"]), result, squares, {1: flat(9), 3: flat(0), 4: flat(9)}, SPEC.factor)
    assert sorted(path.name for path in (tmp_path / "crops").iterdir()) == [
        "a.0001.activation.jpg", "a.0003.activation.jpg",
    ]  # fmt: skip
    marked, unmarked = (cv2.imread(str(tmp_path / "crops" / f"a.{number:04d}.activation.jpg")) for number in (1, 3))
    assert marked is not None
    assert unmarked is not None
    assert marked.shape == (CELL_SIDE, CELL_SIDE, 3)
    assert marked[80, 80, 2] > marked[80, 80, 0] + 50
    assert (unmarked.max(2) - unmarked.min(2)).max() <= 2


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    pixels = np.full((200, 300, 3), 220, np.uint8)
    result = FieldResult("a.jpg", "s", "ok", width=300, height=200, cells=(cell(1, 200, 100),))
    squares = crop_cells(pixels, result.candidates, None, SPEC)
    with pytest.raises(OutputError, match="activation"):
        save(RunFolder.for_images(tmp_path / "file", ["a.jpg"]), result, squares, {1: flat(1)}, SPEC.factor)
