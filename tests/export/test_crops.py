"""Training crops are the runtime's own crops."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_all.errors import InputError
from edge_all.preprocessing import PreprocessingSpec, crop_cell
from edge_all.rendering import SmearSpec, render_field
from edge_all.segmentation import segment
from edge_all_export.crops import CropStore, extract_crops
from edge_all_export.datasets.samples import Sample


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    folder = tmp_path_factory.mktemp("fields")
    made = []
    for number in (1, 2):
        pixels = render_field(number, width=420, height=380, spec=SmearSpec(lymphocytes=2)).pixels
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), pixels[..., ::-1])
        made += [
            Sample(f"s/{number}/{cell.id}", "s", f"g{number}", f"b{number}", 0, path, cell, "cell")
            for cell in segment(pixels).cells
        ]
    return made


@pytest.mark.parametrize("background", ["keep", "blank"])
def test_crops_equal_those_of_the_runtime(samples: list[Sample], background: str) -> None:
    spec = PreprocessingSpec(48, 2.0, background)  # type: ignore[arg-type]
    crops = extract_crops(samples, spec)
    for crop, sample in zip(crops, samples, strict=True):
        pixels = cv2.imread(str(sample.image))[..., ::-1]
        assert (crop == crop_cell(pixels, sample.cell, segment(pixels).cell_labels, spec)).all()


def test_order_does_not_matter(samples: list[Sample]) -> None:
    spec = PreprocessingSpec(32, 2.0)
    assert (extract_crops(samples[::-1], spec)[::-1] == extract_crops(samples, spec)).all()


def test_wide_crops_show_the_same_cell_with_more_around_it(samples: list[Sample]) -> None:
    store = CropStore.cut(samples, PreprocessingSpec(48, 2.0))
    assert store.exact.shape[1:] == (48, 48, 3)
    assert store.wide.shape[1:] == (72, 72, 3)
    middle = store.wide[:, 12:60, 12:60].astype(int)
    assert np.abs(middle - store.exact).mean() < 12


def test_an_image_that_went_away_is_named(samples: list[Sample], tmp_path: Path) -> None:
    gone = dataclasses.replace(samples[0], image=tmp_path / "gone.png")
    with pytest.raises(InputError, match=r"gone\.png"):
        extract_crops([gone], PreprocessingSpec(32, 2.0))
