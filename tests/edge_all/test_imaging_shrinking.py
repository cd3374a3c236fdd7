from __future__ import annotations

import numpy as np

from edge_all.imaging.shrinking import Shrinking, shrink
from edge_all.quality import assess_quality
from edge_all.rendering import SmearSpec, render_field
from edge_all.segmentation import segment


def test_each_pixel_is_the_mean_of_its_block() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (31, 44, 3), dtype=np.uint8)
    blocks = pixels[:30, :42].reshape(10, 3, 14, 3, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(shrink(pixels, 3), blocks, atol=0.51)
    assert shrink(pixels[:2], 3).shape == (1, 14, 3)


def test_each_size_is_computed_once() -> None:
    sizes = Shrinking(np.zeros((40, 40, 3), np.uint8))
    assert sizes.by(2) is sizes.by(2)
    assert sizes.green_by(2) is sizes.green_by(2)
    assert sizes.by(1).shape == (40, 40, 3)
    assert sizes.by(2, 4) is sizes.by(2, 1, 4)
    assert sizes.by(2, 4).shape == (5, 5, 3)


def test_a_size_by_way_of_another_is_that_one_shrunk() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (36, 48, 3), np.uint8)
    sizes = Shrinking(pixels)
    np.testing.assert_array_equal(sizes.by(2, 3), shrink(shrink(pixels, 2), 3))
    np.testing.assert_array_equal(sizes.green_by(2, 3), sizes.by(2, 3)[..., 1])


def test_green_is_that_of_the_same_size() -> None:
    pixels = np.arange(40 * 40 * 3, dtype=np.int64).reshape(40, 40, 3).astype(np.uint8)
    sizes = Shrinking(pixels)
    for factor in (1, 3):
        np.testing.assert_array_equal(sizes.green_by(factor), sizes.by(factor)[..., 1])


def test_sharing_sizes_changes_no_result() -> None:
    pixels = render_field(3, width=1800, height=1400, spec=SmearSpec(blasts=3, lymphocytes=2, platelets=4)).pixels
    sizes = Shrinking(pixels)
    before = pixels.copy()
    assert assess_quality(pixels, sizes=sizes) == assess_quality(pixels)
    shared, alone = segment(pixels, sizes=sizes), segment(pixels)
    assert shared.cells == alone.cells
    np.testing.assert_array_equal(shared.cell_labels, alone.cell_labels)
    np.testing.assert_array_equal(pixels, before)
