"""Labelled cells divided into those that a package is fitted to and those that prove it, in a fixed way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_all_calibration.labelled_cells.cells import LabelledCells

__all__ = ["FEWEST_ON_A_SIDE", "deal"]

FEWEST_ON_A_SIDE = 6
"""Cells of each class that either side needs: with fewer, one cell moves a class's share by a fifth and more."""
KEPT_BACK = 1 / 3
"""Share of each class that is kept back, as near as whole groups come to it."""
MOST_KEPT_BACK = 0.5
"""Share of a class above which a deal of whole groups leaves too little of it to fit to."""
DRAWS = 2000
"""Deals of whole groups that are looked at: of ten groups nearly all that there are, and it takes milliseconds."""


def deal(cells: LabelledCells) -> tuple[LabelledCells, LabelledCells]:
    """Cells to fit with, and cells kept back, a third of each class.

    Of many deals of whole groups the one is taken that comes nearest to a third of both classes. Where no deal of whole
    groups leaves both sides enough of both classes, single cells are dealt, and groups lie on both sides.

    Args:
        cells: twice `FEWEST_ON_A_SIDE` of each class at least.
    """
    kept = _by_group(cells)
    if kept is None:
        kept = _by_cell(cells.labels)
    return cells.subset(~kept), cells.subset(kept)


def _by_group(cells: LabelledCells) -> NDArray[np.bool_] | None:
    """``bool [n]``, the cells kept back; None where whole groups cannot be dealt fairly."""
    names, group = np.unique(cells.groups, return_inverse=True)
    of_class = np.stack([np.bincount(group[mine], minlength=len(names)) for mine in (cells.labels, ~cells.labels)])
    deals = np.random.default_rng(0).random((DRAWS, len(names))) < KEPT_BACK
    kept, total = deals @ of_class.T, of_class.sum(1)
    enough = (np.minimum(kept, total - kept) >= FEWEST_ON_A_SIDE).all(1) & (kept <= MOST_KEPT_BACK * total).all(1)
    if not enough.any():
        return None
    apart = np.where(enough, np.abs(kept / total - KEPT_BACK).max(1), np.inf)
    chosen: NDArray[np.bool_] = deals[apart.argmin()][group]
    return chosen


def _by_cell(labels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """``bool [n]``, the cells kept back, drawn from each class by itself."""
    kept = np.zeros(len(labels), np.bool_)
    generator = np.random.default_rng(0)
    for mine in (np.flatnonzero(labels), np.flatnonzero(~labels)):
        kept[generator.permutation(mine)[: max(FEWEST_ON_A_SIDE, round(len(mine) * KEPT_BACK))]] = True
    return kept
