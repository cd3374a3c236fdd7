"""How well found cells agree with true ones, each as an object by itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Agreement", "agreement_of"]

MATCHING = 0.5
"""Intersection over union above which two objects are one; above one half there is at most one such partner."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Sums over the objects of one field, from which the figures of many fields are made.

    Attributes:
        true, found, matched: numbers of objects.
        overlap: sum of intersection over union of the matched ones.
        common, united: pixels of the aggregated Jaccard index (Kumar et al., IEEE TMI 36, 2017): each true object with
            the found one of best overlap, and all found objects that are nobody's best.
    """

    true: int
    found: int
    matched: int
    overlap: float
    common: int
    united: int


def agreement_of(truth: NDArray[np.uint16], found: NDArray[np.uint16]) -> Agreement:
    """Compare two label images of the same size; 0 is ground.

    Panoptic quality (Kirillov et al., CVPR 2019) of many fields is the sum of ``overlap`` over that of ``(true + found)
    / 2``, the aggregated Jaccard index that of ``common`` over that of ``united``.
    """
    true_numbers, true_index = np.unique(truth, return_inverse=True)
    found_numbers, found_index = np.unique(found, return_inverse=True)
    shape = (len(true_numbers), len(found_numbers))
    counts = np.bincount(true_index.ravel() * shape[1] + found_index.ravel(), minlength=shape[0] * shape[1]).reshape(
        shape
    )
    true_areas, found_areas = counts.sum(axis=1), counts.sum(axis=0)
    union = true_areas[:, None] + found_areas[None, :] - counts
    rows, columns = np.flatnonzero(true_numbers), np.flatnonzero(found_numbers)
    common = counts[np.ix_(rows, columns)]
    either = union[np.ix_(rows, columns)]
    overlap = common / np.maximum(1, either)
    matched = overlap > MATCHING
    best = overlap.argmax(axis=1) if len(columns) else np.zeros(len(rows), np.intp)
    touching = overlap.max(axis=1) > 0 if len(columns) else np.zeros(len(rows), np.bool_)
    at = np.flatnonzero(touching)
    aggregated = int(common[at, best[at]].sum())
    used = set(best[at].tolist())
    unused = sum(int(found_areas[column]) for index, column in enumerate(columns) if index not in used)
    united = int(either[at, best[at]].sum()) + int(true_areas[rows[~touching]].sum()) + unused
    return Agreement(len(rows), len(columns), int(matched.sum()), float(overlap[matched].sum()), aggregated, united)
