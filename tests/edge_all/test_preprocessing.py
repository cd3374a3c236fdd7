from __future__ import annotations

import numpy as np
import pytest

from edge_all.preprocessing import crop_window
from edge_all.results import BoundingBox

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
