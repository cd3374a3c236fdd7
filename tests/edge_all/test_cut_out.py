"""Cells cut out on black or white are found and put on glass; nothing else is touched."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.classification.classifier import Classifier
from edge_all.inputs import find_images
from edge_all.model.package import load_package
from edge_all.quality import assess_quality
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import RgbImage
from edge_all.screening.field_screening import screen_fields
from edge_all.segmentation import segment
from edge_all.segmentation.cut_out import cut_out_ground, glass_colour, put_on_glass

SIDE = 450


@pytest.fixture(scope="module")
def field() -> RgbImage:
    return render_field(5, width=500, height=500, spec=SmearSpec(blasts=3)).pixels


def cut_out(field: RgbImage, paint: int, side: int = SIDE) -> RgbImage:
    """The largest cell of a field by the runtime's own outline, in the middle of a painted square."""
    segmentation = segment(field)
    cell = max((cell for cell in segmentation.cells if cell.kind == "candidate"), key=lambda cell: cell.area)
    x, y, width, height = cell.bbox
    mask = segmentation.cell_masks[cell.id - 1]
    canvas = np.full((side, side, 3), paint, np.uint8)
    left, top = (side - width) // 2, (side - height) // 2
    window = canvas[top : top + height, left : left + width]
    np.copyto(window, field[y : y + height, x : x + width], where=mask[..., None] > 0)
    return canvas


@pytest.mark.parametrize("paint", [0, 255])
def test_a_cell_on_paint_lies_on_glass_afterwards(field: RgbImage, paint: int) -> None:
    image = cut_out(field, paint)
    laid = put_on_glass(image)
    assert laid.note is not None
    painted = (image == paint).all(axis=2)
    colours = np.unique(laid.pixels[painted], axis=0)
    assert len(colours) == 1
    np.testing.assert_array_equal(colours[0], glass_colour(image[~painted]))
    # Inside, away from the rim, the cell is what it was.
    inside = cv2.erode((~painted).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    np.testing.assert_array_equal(laid.pixels[inside], image[inside])
    assert assess_quality(laid.smear).usable


def test_black_of_a_jpeg_is_black_all_the_same(field: RgbImage) -> None:
    stored = cv2.imdecode(cv2.imencode(".jpg", cut_out(field, 0), [cv2.IMWRITE_JPEG_QUALITY, 85])[1], 1)
    assert put_on_glass(np.asarray(stored, np.uint8)).note is not None


def test_a_whole_field_is_handed_through(field: RgbImage) -> None:
    laid = put_on_glass(field)
    assert laid.pixels is field
    assert laid.note is None
    assert laid.smear.shape == field.shape


@pytest.mark.parametrize("size", [(400, 400), (640, 480), (800, 450)])
def test_a_round_field_of_view_is_no_cell(size: tuple[int, int]) -> None:
    width, height = size
    whole = render_field(3, width=width, height=height, spec=SmearSpec(blasts=2)).pixels
    disc = cv2.circle(np.zeros((height, width), np.uint8), (width // 2, height // 2), height // 2, 1, -1)
    assert cut_out_ground(whole * disc[..., None]) is None


def test_overexposed_glass_is_no_paint() -> None:
    image = np.full((200, 200, 3), 255, np.uint8)
    cv2.circle(image, (100, 100), 50, (190, 170, 215), -1)
    cv2.circle(image, (100, 100), 42, (110, 50, 140), -1)
    assert cut_out_ground(image) is not None
    # The same cell with a rim that fades into white, as a lens makes it.
    assert cut_out_ground(np.asarray(cv2.GaussianBlur(image, (0, 0), 5.0), np.uint8)) is None


@pytest.mark.parametrize("level", [0, 255])
def test_nothing_but_paint_is_left_to_the_quality_check(level: int) -> None:
    image = np.full((100, 100, 3), level, np.uint8)
    assert put_on_glass(image).note is None


def test_classify_and_screen_judge_a_cell_on_black_alike(tmp_path: Path, tiny_package: Path, field: RgbImage) -> None:
    cv2.imwrite(str(tmp_path / "UID_1_1_1_all.bmp"), cut_out(field, 0)[..., ::-1])
    classifier = Classifier(load_package(tiny_package))
    sources = find_images([tmp_path / "UID_1_1_1_all.bmp"])
    (crop,) = Screener.of(classifier).classify(sources)
    assert crop.status == "ok"
    assert crop.note is not None
    assert "painted over" in crop.note
    (screened,) = screen_fields(sources, classifier)
    (cell,) = screened.result.candidates
    assert cell.probability == pytest.approx(crop.probability)
    assert screened.result.quality is not None
    assert any("painted over" in warning for warning in screened.result.quality.warnings)


def test_the_box_of_the_smear_stays_inside_the_image(field: RgbImage) -> None:
    image = cut_out(field, 0)
    ground = cut_out_ground(image)
    assert ground is not None
    x, y, width, height = cv2.boundingRect(1 - ground)
    tight = image[y : y + height, x : x + width]
    laid = dataclasses.replace(put_on_glass(tight))
    assert laid.note is not None
    assert laid.smear.shape == tight.shape


def lone_cell(cytoplasm: tuple[int, int, int], share: float) -> RgbImage:
    """A round cell on black, with a nucleus of such a share of its radius."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    grain = np.random.default_rng(0).normal(0, 6, (SIDE // 6, SIDE // 6, 1)).astype(np.float32)
    grain = cv2.resize(grain, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)[..., None]
    centre, radius = (SIDE // 2, SIDE // 2), 130
    for colour, reach in ((cytoplasm, radius), ((106, 66, 137), round(share * radius))):
        disc = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), centre, reach, 1, -1)[..., None]
        image = np.where(disc > 0, np.clip(np.array(colour) + grain, 0, 255), image).astype(np.uint8)
    return image


def test_the_glass_around_a_cell_that_is_all_nucleus_is_no_surround() -> None:
    laid = put_on_glass(lone_cell((140, 127, 143), 0.97))
    assert laid.specimen is not None
    assert laid.specimen.whole
    assert not segment(laid.pixels).cells  # told nothing, it takes the cell for all that there is
    (cell,) = segment(laid.pixels, specimen=laid.specimen).cells
    assert cell.kind == "candidate"
    assert abs(cell.nucleus_centroid[0] - SIDE / 2) < 5


def test_a_cell_of_little_nucleus_in_a_large_black_picture_is_cut_out() -> None:
    image = lone_cell((205, 160, 185), 0.42)
    assert put_on_glass(image).note is not None
    tight = image[95:-95, 95:-95]  # more than half of it is left: it might be a field of view
    assert put_on_glass(np.ascontiguousarray(tight)).note is None
