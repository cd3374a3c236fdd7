"""Network inputs of labelled cells, cut by the runtime's own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from edge_all.preprocessing import PreprocessingSpec, crop_cells
from edge_all.results import RgbImage
from edge_all.segmentation import segment
from edge_all_export.crops.augmentation import MARGIN
from edge_all_export.datasets.locating import read_field
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
        count = len(samples)
        return cls(
            extract_crops(samples, spec, lambda done: progress(done, 2 * count)),
            extract_crops(samples, wide, lambda done: progress(count + done, 2 * count)),
        )


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
    crops = np.empty((len(samples), spec.input_size, spec.input_size, 3), np.uint8)
    index = 0
    for (image, field_size), run in groupby(samples, key=lambda sample: (sample.image, sample.field_size)):
        pixels = read_field(image, field_size)
        members = list(run)
        labels = segment(pixels).cell_labels if spec.background == "blank" else None
        crops[index : index + len(members)] = crop_cells(pixels, [sample.cell for sample in members], labels, spec)
        index += len(members)
        progress(index)
    return crops
