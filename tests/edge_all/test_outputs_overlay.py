from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.imaging.display import LARGEST_SIDE, READABLE_SIDE, display_scale, whole_reduction
from edge_all.imaging.shrinking import shrink
from edge_all.outputs.overlay import draw_overlay, save_overlay
from edge_all.outputs.palette import PALETTE, CellClass, cell_class
from edge_all.results import Cell, CellLabel, FieldResult, RgbImage

GROUND = (205, 200, 195)


def cell(number: int, x: int, y: int, side: int, label: CellLabel | None = "ALL", *, rejected: bool = False) -> Cell:
    square = ((x, y), (x + side - 1, y), (x + side - 1, y + side - 1), (x, y + side - 1))
    middle = (x + side / 2, y + side / 2)
    return Cell(
        id=number,
        bbox=(x, y, side, side),
        centroid=middle,
        area=side * side,
        nucleus_bbox=(x, y, side, side),
        nucleus_centroid=middle,
        nucleus_area=side * side,
        contour=square,
        kind="rejected" if rejected else "candidate",
        reason="platelet" if rejected else None,
        probability=None if rejected or label is None else 0.9,
        label=None if rejected else label,
    )


def ground(width: int, height: int) -> RgbImage:
    return np.full((height, width, 3), GROUND, np.uint8)


def field(pixels: RgbImage, *cells: Cell) -> FieldResult:
    return FieldResult("a.jpg", "s", "ok", width=pixels.shape[1], height=pixels.shape[0], cells=cells)


def has(picture: RgbImage, name: CellClass) -> bool:
    return bool((picture == PALETTE[name]).all(-1).any())


@pytest.mark.parametrize(
    ("width", "height"), [(120, 120), (64, 200), (640, 480), (1226, 652), (2592, 1944), (700, 5200)]
)
def test_every_size_becomes_readable(width: int, height: int) -> None:
    pixels = ground(width, height)
    side = min(width, height) // 3
    picture = draw_overlay(pixels, field(pixels, cell(1, side, side, side)))
    scale = display_scale(width, height)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == round(width * scale)
    assert READABLE_SIDE <= round(max(width, height) * scale) <= LARGEST_SIDE
    strip = picture[round(height * scale) :]
    assert 0 < len(strip) < max(picture.shape) // 3
    assert has(strip, "ALL")
    assert (strip[0] == 255).all(), "the strip is not white"
    reach = max(2.0, 2 * scale)
    low, high = round(side * scale - reach), round(2 * side * scale + reach)
    wide = round(2 * reach)
    for edge in (picture[low:high, low : low + wide], picture[low:high, high - wide : high]):
        assert (edge == PALETTE["ALL"]).all(-1).any(1).mean() > 0.6, "an outline is not where the cell is"
    assert (strip < 100).all(-1).any(), "no text in the strip"
    assert (pixels == GROUND).all(), "the input was drawn on"


@pytest.mark.parametrize(
    ("width", "height"), [(640, 480), (1712, 1368), (2592, 1944), (2591, 1943), (3000, 2000), (4501, 2999)]
)
def test_a_field_may_be_given_shrunk(width: int, height: int) -> None:
    coarse = np.random.default_rng(5).integers(0, 256, (height // 40, width // 40, 3)).astype(np.uint8)
    pixels = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    result = field(pixels, cell(1, width // 3, height // 3, height // 5))
    shrunk = shrink(pixels, whole_reduction(width, height))
    assert np.array_equal(draw_overlay(shrunk, result), draw_overlay(pixels, result))


def test_each_class_has_its_colour_at_its_place() -> None:
    pixels = ground(1200, 800)
    cells = [
        cell(1, 100, 100, 120, "ALL"),
        cell(2, 400, 100, 120, "non-ALL"),
        cell(3, 700, 100, 120, "indeterminate"),
        cell(4, 100, 500, 120, rejected=True),
        cell(5, 400, 500, 120, None),
    ]
    picture = draw_overlay(pixels, field(pixels, *cells))
    for one in cells:
        x, y, width, height = one.bbox
        around = picture[y - 4 : y + height + 4, x - 4 : x + width + 4]
        assert has(around, cell_class(one)), one.id
        assert not any(has(around, name) for name in PALETTE if name != cell_class(one)), one.id
        inside = picture[y + 20 : y + height - 20, x + 20 : x + width - 20]
        assert (inside == GROUND).all(), "the cell itself is covered"


def test_classes_differ_by_line_as_well_as_colour() -> None:
    pixels = ground(1200, 800)
    drawn = {}
    for label in ("ALL", "non-ALL", "indeterminate"):
        picture = draw_overlay(pixels, field(pixels, cell(1, 400, 300, 200, label)))  # type: ignore[arg-type]
        around = picture[296:504, 396:604]
        drawn[label] = int((around == PALETTE[label]).all(-1).sum())  # type: ignore[index]
    assert drawn["ALL"] > 1.3 * drawn["non-ALL"] > 1.3 * 1.2 * drawn["indeterminate"] > 0


def test_a_cell_unlike_training_says_so_in_its_tag() -> None:
    pixels = ground(1200, 800)
    tags = []
    for distance in (0.1, 1.1, 0.9):
        one = dataclasses.replace(cell(1, 400, 300, 200, "indeterminate"), out_of_distribution=distance)
        above = draw_overlay(pixels, field(pixels, one))[:295]
        tags.append(int((above == PALETTE["indeterminate"]).all(-1).any(0).sum()))
    assert tags[1] > 1.5 * tags[0] > 0, "the tag has no more words"
    assert tags[2] > 1.2 * tags[1], "rather unlike, as the report and the page say"


@pytest.mark.parametrize("size", [(300, 200), (2592, 1944)])
def test_odd_outlines_are_drawn_without_complaint(size: tuple[int, int]) -> None:
    pixels = ground(*size)
    for contour in [((5, 5),), ((5, 5), (9, 5)), ((0, 0), (299, 0), (299, 199), (0, 199))]:
        for label in ("ALL", "indeterminate"):
            odd = dataclasses.replace(cell(1, 5, 5, 4, label), contour=contour)  # type: ignore[arg-type]
            assert draw_overlay(pixels, field(pixels, odd)).shape[1] == size[0] * display_scale(*size)


def test_no_cells_still_carries_the_legend() -> None:
    pixels = ground(800, 600)
    picture = draw_overlay(pixels, field(pixels))
    assert (picture[:600] == GROUND).all()
    assert has(picture[600:], "ALL")


def test_a_field_that_was_not_judged_shows_no_counts() -> None:
    pixels = ground(800, 600)
    unusable = dataclasses.replace(field(pixels), status="unusable", error="Out of focus.")
    strip = draw_overlay(pixels, unusable)[600:]
    assert not any(has(strip, name) for name in ("ALL", "indeterminate", "non-ALL"))
    legend = draw_overlay(pixels, field(pixels))[600:]
    assert strip.shape == legend.shape, "the sentence stands in the legend's place"
    assert not np.array_equal(strip, legend)
    assert (strip[: len(strip) // 2] < 100).all(-1).any(), "no sentence"


def test_is_written_as_jpeg(tmp_path: Path) -> None:
    pixels = ground(800, 600)
    path = tmp_path / "overlays" / "a-1.jpg"
    save_overlay(path, pixels, field(pixels, cell(1, 100, 100, 50)))
    assert path.read_bytes()[:2] == b"\xff\xd8"
    decoded = cv2.imread(str(path))
    assert decoded is not None
    assert np.abs(decoded[300, 700][::-1].astype(int) - GROUND).max() <= 3
