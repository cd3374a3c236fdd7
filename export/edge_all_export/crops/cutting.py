"""Network inputs of labelled cells, cut by the runtime's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from edge_all.preprocessing import PreprocessingSpec, crop_cells
from edge_all.results import RgbImage
from edge_all.session import available_cores
from edge_all_export.crops.augmentation import MARGIN
from edge_all_export.datasets.locating import read_field, segmented
from edge_all_export.datasets.samples import Sample

__all__ = ["CropStore", "extract_crops"]


@dataclass(frozen=True, slots=True)
class CropStore:
    """The crops of a list of samples, in its order.

    Attributes:
        exact: ``uint8 [n, s, s, 3]``, what the network sees on the station; for judging.
        wide: ``uint8 [n, w, w, 3]``, `MARGIN` times as much of the surroundings at the same scale; for augmenting.
    """

    exact: RgbImage
    wide: RgbImage

    @classmethod
    def cut(
        cls,
        samples: Sequence[Sample],
        spec: PreprocessingSpec,
        progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> CropStore:
        """Cut all samples both ways.

        Args:
            samples: in any order; those of one image best stand together.
            spec: how the network's input is cut.
            progress: told how many crops are cut, and of how many.

        Raises:
            ImageError: an image is no longer readable.
        """
        wide = replace(spec, input_size=round(spec.input_size * MARGIN), factor=spec.factor * MARGIN)
        exact, surrounded = _cut(samples, (spec, wide), lambda done: progress(done, len(samples)))
        return cls(exact, surrounded)


def extract_crops(
    samples: Sequence[Sample], spec: PreprocessingSpec, progress: Callable[[int], None] = lambda _done: None
) -> RgbImage:
    """Cut every sample, each image being read once for its run of samples.

    Args:
        samples: in any order; those of one image best stand together.
        spec: how to cut.
        progress: told after each image how many are cut.

    Returns:
        ``uint8 [samples, input_size, input_size, 3]`` RGB.

    Raises:
        ImageError: an image is no longer readable.
    """
    (crops,) = _cut(samples, (spec,), progress)
    return crops


def _cut(
    samples: Sequence[Sample], specs: Sequence[PreprocessingSpec], progress: Callable[[int], None]
) -> list[RgbImage]:
    """The crops of all samples by each of some specifications; images are read on all cores, each once."""
    runs = [list(run) for _, run in groupby(samples, key=lambda sample: (sample.image, sample.field_size))]
    crops = [np.empty((len(samples), spec.input_size, spec.input_size, 3), np.uint8) for spec in specs]

    def cut(run: list[Sample]) -> list[RgbImage]:
        image, field_size = run[0].image, run[0].field_size
        pixels = read_field(image, field_size)
        blank = any(spec.background == "blank" for spec in specs)
        labels = segmented(image, field_size)[0].cell_labels if blank else None
        cells = [sample.cell for sample in run]
        return [crop_cells(pixels, cells, labels if spec.background == "blank" else None, spec) for spec in specs]

    done = 0
    with ThreadPoolExecutor(available_cores()) as threads:
        for run, found in zip(runs, threads.map(cut, runs), strict=True):
            for whole, part in zip(crops, found, strict=True):
                whole[done : done + len(run)] = part
            done += len(run)
            progress(done)
    return crops
