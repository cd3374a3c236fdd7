from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edge_all.preprocessing import Background, PreprocessingSpec, WhitePoint, crop_cell, crop_window
from edge_all.results import BoundingBox, Cell

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
    spec = PreprocessingSpec(size, factor, background, white_point)
    assert spec.to_json()["version"] == version, "pin the crops of the new version here"
    pixels, labels = pattern()
    cell = Cell(7, box, (0.0, 0.0), 1, box, (0.0, 0.0), 1, "candidate", contour=(), glass=GLASS)
    assert digest(crop_cell(pixels, cell, labels, spec)) == CROPS[case]
