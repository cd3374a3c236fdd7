"""What is no specimen is found, and costs no cell; a field without a surround is left whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_all.imaging import read_image
from edge_all.imaging.shrinking import Shrinking
from edge_all.quality import assess_quality
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import Mask, RgbImage
from edge_all.segmentation import segment
from edge_all.specimen import Specimen, find_specimen
from edge_all.specimen.pen_strokes import is_a_stroke
from edge_all.specimen.surrounds import at_border

SHAPE = (600, 800)


@pytest.fixture(scope="module")
def field() -> RgbImage:
    return render_field(4, width=SHAPE[1], height=SHAPE[0], spec=SmearSpec(blasts=3, lymphocytes=3)).pixels


def everywhere() -> Mask:
    return np.ones(SHAPE, np.uint8)


def circle() -> Mask:
    return np.asarray(cv2.circle(everywhere() * 0, (400, 300), 300, 1, -1), np.uint8)


def bar(turns: int) -> Mask:
    """A bar over an eighth of one side."""
    mask = np.rot90(everywhere(), turns).copy()
    mask[: len(mask) // 8] = 0
    return np.ascontiguousarray(np.rot90(mask, -turns))


def frame() -> Mask:
    mask = everywhere() * 0
    mask[40:-40, 40:-40] = 1
    return mask


def corners() -> Mask:
    matrix = cv2.getRotationMatrix2D((400, 300), 15, 1.0)
    return np.asarray(cv2.warpAffine(everywhere(), matrix, SHAPE[::-1], flags=cv2.INTER_NEAREST), np.uint8)


def specimen_in(pixels: RgbImage) -> Specimen:
    return find_specimen(Shrinking(pixels), pixels.shape[1], pixels.shape[0])


def surrounded(pixels: RgbImage, mask: Mask, level: int) -> RgbImage:
    noise = (
        np.random.default_rng(0).normal(level, 1.5, pixels.shape) if 0 < level < 255 else np.full(pixels.shape, level)
    )
    return np.where(mask[..., None] > 0, pixels, np.clip(np.rint(noise), 0, 255)).astype(np.uint8)


@pytest.mark.parametrize("level", [0, 12, 30, 110, 255])
@pytest.mark.parametrize(
    "shape", [circle, *(lambda n=n: bar(n) for n in range(4)), frame, corners], ids=lambda shape: shape.__name__
)
def test_a_surround_of_any_shape_and_level_is_left_out(field: RgbImage, shape: Callable[[], Mask], level: int) -> None:
    mask = shape()
    found = specimen_in(surrounded(field, mask, level)).at(*SHAPE[::-1])
    outside: NDArray[np.bool_] = (found == 0) & (mask == 0)
    assert outside.sum() > 0.85 * ((found == 0) | (mask == 0)).sum()


@pytest.mark.parametrize("turns", range(4))
def test_what_reaches_one_side_alone_reaches_the_border(turns: int) -> None:
    mask = np.zeros((60, 60), np.uint8)
    mask[:10, 20:40] = 1
    mask[30:50, 20:40] = 1  # within, and no surround
    kept = at_border(np.ascontiguousarray(np.rot90(mask, turns)))
    assert np.rot90(kept, -turns)[:10, 20:40].all()
    assert kept.sum() == 200


def test_a_frame_of_the_colour_of_nuclei_is_no_cell(field: RgbImage) -> None:
    mask = frame()
    framed = np.where(mask[..., None] > 0, field, np.array([90, 40, 130])).astype(np.uint8)
    inside = [cell for cell in segment(field).cells if mask[int(cell.centroid[1]), int(cell.centroid[0])]]
    found = segment(framed).cells
    assert len(found) >= len(inside) - 4 > 0
    assert all(mask[int(y), int(x)] for x, y in (cell.nucleus_centroid for cell in found))


def test_the_letters_on_a_bar_are_no_specimen(field: RgbImage) -> None:
    mask = bar(2)
    picture = surrounded(field, mask, 0)
    cv2.putText(picture, "SLIDE 12  100x  10 um", (20, 575), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 2)
    assert specimen_in(picture).share == pytest.approx(mask.mean(), abs=0.02)


def test_cells_inside_stay_and_the_reader_is_told(field: RgbImage) -> None:
    mask = circle()
    wholly_inside = cv2.erode(mask, np.ones((41, 41), np.uint8))
    before = segment(field)
    expected = [
        cell
        for cell in before.cells
        if cell.kind == "candidate" and wholly_inside[round(cell.centroid[1]), round(cell.centroid[0])]
    ]
    assert expected
    for level in (0, 22, 255):
        picture = surrounded(field, mask, level)
        labels = segment(picture).cell_labels
        assert all(labels[round(cell.centroid[1]), round(cell.centroid[0])] for cell in expected)
        quality = assess_quality(picture)
        assert quality.usable
        assert any("no specimen" in warning for warning in quality.warnings)


@pytest.mark.parametrize("seed", range(3))
def test_a_field_without_a_surround_is_whole(seed: int) -> None:
    pixels = render_field(seed, width=SHAPE[1], height=SHAPE[0], spec=SmearSpec(blasts=1)).pixels
    assert specimen_in(pixels).whole
    assert not any("no specimen" in warning for warning in assess_quality(pixels).warnings)


def test_empty_glass_at_the_border_is_kept(field: RgbImage) -> None:
    glass = np.percentile(field.reshape(-1, 3), 90, axis=0)
    picture = field.copy()
    picture[:, :200] = glass
    assert specimen_in(picture).whole


@pytest.mark.parametrize("level", [0, 90, 255])
@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (200, 200), (131, 131)])
def test_an_image_of_one_level_is_no_surround_of_itself(shape: tuple[int, int], level: int) -> None:
    assert specimen_in(np.full((*shape, 3), level, np.uint8)).whole


PENS = {
    "blue": (30, 40, 160),
    "navy": (20, 25, 90),
    "violet": (120, 40, 190),
    "green": (20, 130, 60),
    "red": (200, 20, 30),
    "black": (20, 20, 22),
    "yellow": (250, 230, 0),
}


def stroke(kind: str) -> Mask:
    pen: Mask = everywhere() * 0
    middle, thick = (400, 300), 9
    if kind == "ring":
        cv2.ellipse(pen, middle, (180, 120), 20, 0, 340, 1, thick)
    elif kind == "arrow":
        cv2.arrowedLine(pen, (150, 500), (300, 330), 1, thick, tipLength=0.25)
    else:
        across, down = {"level": (300, 0), "upright": (0, 250), "falling": (260, 200), "rising": (260, -200)}[kind]
        cv2.line(pen, (400 - across, 300 - down), (400 + across, 300 + down), 1, thick)
    return pen


def marked(pixels: RgbImage, pen: Mask, colour: tuple[int, int, int], *, ink: bool = False) -> RgbImage:
    """A stroke with a soft edge, opaque or of ink that cells are seen through, as a JPEG keeps it."""
    cover = cv2.GaussianBlur(pen.astype(np.float32), (0, 0), 0.8)[..., None]
    shade = np.array(colour, np.float32)
    mixed = pixels * (shade / 255) ** cover if ink else pixels * (1 - cover) + shade * cover
    _, content = cv2.imencode(".jpg", np.rint(mixed[..., ::-1]).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


@pytest.mark.parametrize("kind", ["ring", "arrow", "level", "upright", "falling", "rising"])
@pytest.mark.parametrize("colour", PENS)
def test_a_stroke_of_any_colour_and_direction_is_left_out(field: RgbImage, colour: str, kind: str) -> None:
    pen = stroke(kind)
    found = specimen_in(marked(field, pen, PENS[colour]))
    left_out = found.at(*SHAPE[::-1]) == 0
    assert left_out[pen > 0].mean() > 0.95
    assert left_out[pen == 0].sum() < 1.2 * pen.sum(), "more than the soft edges"
    assert found.pen == pytest.approx(1 - found.share)


@pytest.mark.parametrize("colour", PENS)
def test_cells_beside_a_stroke_stay_and_the_reader_is_told(field: RgbImage, colour: str) -> None:
    pen = stroke("ring")
    beside = cv2.erode(1 - pen, np.ones((41, 41), np.uint8))
    expected = [
        cell
        for cell in segment(field).cells
        if cell.kind == "candidate" and beside[round(cell.centroid[1]), round(cell.centroid[0])]
    ]
    assert len(expected) >= 4
    for ink in (False, True):
        picture = marked(field, pen, PENS[colour], ink=ink)
        found = segment(picture)
        kinds = dict(enumerate((cell.kind for cell in found.cells), start=1))
        assert all(
            kinds.get(int(found.cell_labels[round(cell.centroid[1]), round(cell.centroid[0])])) == "candidate"
            for cell in expected
        )
        quality = assess_quality(picture)
        assert quality.usable
        assert any("pen" in warning for warning in quality.warnings)
        assert not any("no specimen" in warning for warning in quality.warnings)


@pytest.mark.parametrize(("beside", "expected"), [((236, 236, 236), True), ((60, 20, 100), False)])
def test_the_rim_of_something_darker_is_no_stroke(beside: tuple[int, int, int], expected: bool) -> None:
    colour, glass = (130, 80, 210), (236, 236, 236)
    overview = np.full((60, 240, 3), glass, np.uint8)
    overview[30:36, 20:220] = colour
    overview[36:] = beside
    stroke = np.zeros((60, 240), np.uint8)
    stroke[30:36, 20:220] = 1
    shades = [np.array(shade, np.float32) for shade in (colour, glass)]
    assert is_a_stroke(overview, *shades, (slice(0, 60), slice(0, 240)), stroke) is expected


def test_a_stroke_and_a_frame_are_told_apart(field: RgbImage) -> None:
    picture = surrounded(marked(field, stroke("rising"), PENS["blue"]), frame(), 0)
    quality = assess_quality(picture)
    assert [any(word in warning for warning in quality.warnings) for word in ("pen", "no specimen")] == [True, True]


def test_a_chain_of_nuclei_and_a_folded_nucleus_are_no_strokes(field: RgbImage) -> None:
    """As slender as a stroke, but with necks, or too thick for one."""
    chain = field.copy()
    for step in range(12):
        cv2.circle(chain, (100 + 44 * step, 300 + (step % 2) * 14), 24, (95, 45, 135), -1)
    band = field[200:400, 300:500].copy()
    cv2.ellipse(band, (100, 100), (62, 62), 0, 0, 300, (70, 40, 130), 24)
    for picture in (chain, band):
        assert specimen_in(np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.uint8)).pen == 0


@pytest.mark.parametrize(
    "shape", [*(lambda n=n: bar(n) for n in range(4)), frame, corners], ids=lambda one: one.__name__
)
def test_a_surround_of_the_colour_of_red_cells_is_left_out(field: RgbImage, shape: Callable[[], Mask]) -> None:
    mask = shape()
    stained = field[field[..., 1] < 0.85 * np.percentile(field[..., 1], 90)]
    red_cells = np.median(stained, axis=0)
    picture = np.where(mask[..., None] > 0, field, red_cells).astype(np.uint8)
    found = specimen_in(picture).at(*SHAPE[::-1])
    # Red cells that touch it go with it.
    assert ((found == 0) & (mask == 0)).sum() > 0.95 * (mask == 0).sum()
    assert ((found == 0) | (mask == 0)).sum() < 1.5 * (mask == 0).sum()


@pytest.mark.data
@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "allidb1/fields/*.jpg",
            "allidb2/crops/*.tif",
            "bccd/images/*.jpg",
            "pbc_lymphocytes/*.jpg",
            "munich/*/*.jpg",
        ),
        *(
            "segmentation_wbc/dataset1/*.bmp",
            "segmentation_wbc/dataset2/*.bmp",
            "taleqani/*/*.jpg",
            "raabin/images/*.jpg",
        ),
    ],
)
def test_no_picture_of_real_blood_bears_a_stroke_or_is_called_unfit_for_light(data_root: Path, pattern: str) -> None:
    paths = sorted(data_root.glob(pattern))
    assert paths
    for path in paths[:: max(1, len(paths) // 20)]:
        if path.name == "045.bmp":  # has a dark rim
            continue
        quality = assess_quality(read_image(path))
        assert quality.metrics["pen"] == 0, path
        assert not any(word in warning for warning in quality.warnings for word in ("saturated in", "JPEG")), path
