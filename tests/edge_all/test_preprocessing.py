from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import pytest

from edge_all.errors import ModelIncompatibleError
from edge_all.preprocessing import (
    Background,
    Orientation,
    PreprocessingSpec,
    WhitePoint,
    crop_cell,
    crop_window,
    cut_cells,
)
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import BoundingBox, Cell
from edge_all.segmentation import segment

FIELD = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 2000, (60, 90), dtype=np.uint16)


@pytest.mark.parametrize("image", [FIELD, LABELS], ids=["pixels", "labels"])
@pytest.mark.parametrize(
    "box",
    [
        (40, 25, 10, 12),  # inside
        (0, 0, 10, 10),
        (80, 50, 10, 10),
        (89, 0, 1, 1),
        (0, 20, 20, 9),
        (40, 59, 7, 1),
        (0, 0, 90, 60),  # beyond all four sides
    ],
)
def test_outside_the_image_the_border_is_repeated(image: np.ndarray, box: BoundingBox) -> None:
    x, y, width, height = box
    side = round(2.5 * max(width, height))
    left, top = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    np.testing.assert_array_equal(crop_window(image, box, 2.5), image[rows][:, columns])


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()[:16]


def pattern() -> tuple[np.ndarray, np.ndarray]:
    """A field ``uint8 [240, 320, 3]`` with edges, slopes and grain, and the labels of two cells, by whole numbers."""
    row, column = np.mgrid[0:240, 0:320]
    grain = (row * 7919 + column * 104729 + row * column * 31) % 41
    disc = (row - 120) ** 2 + (column - 150) ** 2 < 45**2
    planes = (row + column // 2 + grain, 200 - row // 2 + grain, np.where(disc, 90, 210) + column // 16 + grain)
    labels = np.where((row - 120) ** 2 + (column - 150) ** 2 < 60**2, 7, np.where(column > 190, 2, 0))
    return np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8), labels.astype(np.uint16)


# (version, size, factor, background, white point, box of the nucleus) -> the crop. Measured with OpenCV 4.11 and 5.0.
CROPS: dict[tuple[int, int, float, Background, WhitePoint, BoundingBox], str] = {
    (1, 160, 2.5, "keep", "camera", (105, 75, 90, 91)): "1b88442e6d9fe493",
    (1, 160, 2.5, "keep", "camera", (140, 110, 31, 28)): "f654974778b4330f",
    (1, 112, 2.0, "keep", "camera", (94, 64, 112, 100)): "e3350395cdd3fbfd",
    (1, 160, 2.5, "keep", "camera", (0, 0, 80, 70)): "267e308a28139389",
    (1, 160, 2.5, "keep", "camera", (280, 200, 40, 40)): "0f6761dd46842268",
    (1, 160, 2.0, "blank", "camera", (105, 75, 90, 91)): "93bd702d1f0432a2",
    (1, 96, 2.5, "blank", "camera", (130, 100, 30, 40)): "da257e5c61d35098",
    (1, 160, 2.0, "keep", "camera", (110, 80, 80, 80)): "03eaf085ecce1e40",
    (2, 160, 2.5, "keep", "glass", (105, 75, 90, 91)): "26e75248ede821c7",
    (2, 128, 2.5, "keep", "glass", (0, 0, 80, 70)): "53cdb50f40970385",
    (2, 160, 2.0, "blank", "glass", (105, 75, 90, 91)): "645364c201242840",
    (3, 128, 2.5, "keep", "glass", (105, 75, 90, 91)): "a661abf944496cfa",
    (3, 128, 2.5, "keep", "glass", (0, 0, 80, 70)): "aa3560b554a2374f",
    (3, 128, 2.5, "keep", "glass", (280, 200, 40, 40)): "834ef4bb367b4159",
    (3, 96, 2.5, "blank", "camera", (130, 100, 30, 41)): "16994070c6874ed0",
}
GLASS = (183.5, 170.0, 201.2)
FIELD_DIGEST, LABELS_DIGEST = "317a4d68dd97bee1", "ebbcf8bb9fa5a969"


def test_the_input_of_the_pinned_crops_is_the_same() -> None:
    pixels, labels = pattern()
    assert (digest(pixels), digest(labels)) == (FIELD_DIGEST, LABELS_DIGEST)


@pytest.mark.parametrize("case", CROPS, ids=str)
def test_the_crop_is_the_same_to_the_last_bit(
    case: tuple[int, int, float, Background, WhitePoint, BoundingBox],
) -> None:
    """Models were trained on exactly these pixels: another crop is another version."""
    version, size, factor, background, white_point, box = case
    spec = PreprocessingSpec(size, factor, background, white_point, "upright" if version == 3 else "field")
    assert spec.to_json()["version"] == version, "pin the crops of the new version here"
    pixels, labels = pattern()
    cell = Cell(7, box, (0.0, 0.0), 1, box, (0.0, 0.0), 1, "candidate", contour=(), glass=GLASS)
    assert digest(crop_cell(pixels, cell, labels, spec)) == CROPS[case]


def turned(image: np.ndarray, box: BoundingBox, way: int) -> tuple[np.ndarray, BoundingBox]:
    """One of the eight orientations of an image, and of a box in it."""
    x, y, width, height = box
    if way & 4:
        image, (x, y, width, height) = image.swapaxes(0, 1), (y, x, height, width)
    if way & 1:
        image, x = image[:, ::-1], image.shape[1] - x - width
    if way & 2:
        image, y = image[::-1], image.shape[0] - y - height
    return np.ascontiguousarray(image), (x, y, width, height)


# Every parity of box and square, at the border, enlarged and shrunk; a side of 2.5 x 30 is tied on both axes.
@pytest.mark.parametrize("box", [(40, 25, 30, 30), (41, 22, 31, 28), (0, 0, 33, 20), (71, 31, 19, 29), (50, 30, 2, 1)])
@pytest.mark.parametrize("background", ["keep", "blank"])
@pytest.mark.parametrize("size", [32, 160])
def test_one_way_up_all_orientations_of_a_cell_are_the_same_input(
    box: BoundingBox, background: Background, size: int
) -> None:
    spec = PreprocessingSpec(size, 2.5, background, "glass", "upright")
    labels = np.full(FIELD.shape[:2], 7, np.uint16)
    labels[:, ::7] = 0
    inputs, kept = set(), set()
    for way in range(8):
        pixels, there = turned(FIELD, box, way)
        own, _ = turned(labels, box, way)
        cell = Cell(7, there, (0.0, 0.0), 1, there, (0.0, 0.0), 1, "candidate", contour=(), glass=GLASS)
        inputs.add(digest(crop_cell(pixels, cell, own, spec)))
        kept.add(digest(crop_cell(pixels, cell, own, replace(spec, orientation="field"))))
    assert len(inputs) == 1
    assert len(kept) == 8


def test_what_is_said_of_places_in_a_crop_can_be_turned_back() -> None:
    box = (40, 20, 30, 30)  # the square of 60 pixels lies evenly around it
    for way in range(8):
        pixels, there = turned(FIELD, box, way)
        cell = Cell(7, there, (0.0, 0.0), 1, there, (0.0, 0.0), 1, "candidate", contour=())
        crops = cut_cells(pixels, [cell], None, PreprocessingSpec(60, 2.0, orientation="upright"))
        (turn,), lies = crops.turns, crop_window(pixels, there, 2.0)
        np.testing.assert_array_equal(turn.turned_back(crops.pixels[0]), lies)
        plane = crops.pixels[0, :, :, 1].astype(np.float32) / 3
        np.testing.assert_array_equal(turn.turned_back(plane), lies[..., 1].astype(np.float32) / 3)


def lit(pixels: np.ndarray, *gains: float) -> np.ndarray:
    return np.clip(np.rint(pixels * np.array(gains)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("gains", [(0.5, 0.5, 0.5), (1.1, 1.0, 0.8), (0.7, 0.8, 0.95)])
def test_with_one_white_point_light_and_white_balance_hardly_change_the_crop(gains: tuple[float, ...]) -> None:
    pixels = lit(render_field(3, width=640, height=480, spec=SmearSpec(blasts=3)).pixels, 0.85, 0.85, 0.85)
    changed = lit(pixels, *gains)
    before, after = segment(pixels).cells, segment(changed).cells
    cell = next(one for one in before if one.kind == "candidate")
    again = min(after, key=lambda one: math.dist(one.centroid, cell.centroid))
    again = replace(again, nucleus_bbox=cell.nucleus_bbox)
    spec = PreprocessingSpec(128, 2.5, "keep", "glass")
    one, other = crop_cell(pixels, cell, None, spec), crop_cell(changed, again, None, spec)
    assert np.abs(one.astype(int) - other).mean() < 2
    as_it_is = replace(spec, white_point="camera")
    assert (
        np.abs(crop_cell(pixels, cell, None, as_it_is).astype(int) - crop_cell(changed, cell, None, as_it_is)).mean()
        > 9
    )


def test_light_that_falls_off_is_followed_to_the_place_of_the_cell() -> None:
    row, column = np.mgrid[-1:1:600j, -1:1:800j]
    falling = (1 - 0.25 * (row**2 + column**2))[..., None]
    cells = segment(
        lit(render_field(5, width=800, height=600, spec=SmearSpec(blasts=6)).pixels * falling, 1, 1, 1)
    ).cells
    middle = min(cells, key=lambda one: math.dist(one.centroid, (400, 300)))
    corner = max(cells, key=lambda one: math.dist(one.centroid, (400, 300)))
    assert middle.glass is not None
    assert corner.glass is not None
    assert corner.glass[1] < 0.93 * middle.glass[1]


def test_a_cell_that_does_not_know_its_glass_is_refused() -> None:
    cell = Cell(7, (5, 5, 9, 9), (9.0, 9.0), 60, (5, 5, 9, 9), (9.0, 9.0), 60, "candidate", contour=())
    with pytest.raises(ModelIncompatibleError, match="Screen the image again"):
        crop_cell(FIELD, cell, None, PreprocessingSpec(32, 2.5, "keep", "glass"))


@pytest.mark.parametrize("white_point", ["camera", "glass"])
@pytest.mark.parametrize("orientation", ["field", "upright"])
def test_the_block_of_a_card_is_read_back(white_point: WhitePoint, orientation: Orientation) -> None:
    spec = PreprocessingSpec(128, 2.5, "keep", white_point, orientation)
    assert PreprocessingSpec.from_json(spec.to_json()) == spec


IMPOSSIBLE: tuple[dict[str, object], ...] = (
    {"factor": math.nan},
    {"factor": math.inf},
    {"factor": 0.0},
    {"input_size": 0},
)


@pytest.mark.parametrize(
    "change",
    [
        {"white_point": "paper"},
        {"version": 3},
        {"orientation": "upright"},
        {"orientation": "down"},
        {"version": 1},
        *IMPOSSIBLE,
    ],
)
def test_a_block_that_this_version_does_not_do_is_refused(change: dict[str, object]) -> None:
    record = PreprocessingSpec(128, 2.5, "keep", "glass").to_json()
    with pytest.raises(ModelIncompatibleError):
        PreprocessingSpec.from_json(record | change)
