"""Which laboratories the others would recognise as strangers by how their cells look, and how often a known one is.

No network takes part: a station tells a slide that its model does not know by the colours and the sharpness of the
crops (`edge_all.classification.appearance`), and that is measured here, each laboratory in turn left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.appearance import traits_of
from edge_all.slides.verdict import SLIDE_LIMIT, UNKNOWN_SHARE
from edge_all.wording.laboratories import laboratory_name
from edge_all_calibration.figures.intervals import Estimate, proportion
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.probability.appearance import describe_laboratories

__all__ = ["MOST_OF_A_SLIDE", "Recognised", "at_most_of_a_slide", "measure_strangers", "strangers_table"]

MOST_OF_A_SLIDE = 25
"""Cells of one slide that take part: the largest would outweigh all others in the look of their laboratory."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Recognised:
    """One laboratory, left out and at home.

    Attributes:
        laboratory: its name.
        cells, slides: how many of them there are.
        slides_left_out, cells_left_out: share called unknown by what the other laboratories look like.
        slides_at_home, cells_at_home, blasts_at_home: the same share where a part of its own groups is known and these
            are not; the last of its ALL cells. None for a laboratory that no model is ever to know.
    """

    laboratory: str
    cells: int
    slides: int
    slides_left_out: Estimate
    cells_left_out: Estimate
    slides_at_home: Estimate | None
    cells_at_home: Estimate | None
    blasts_at_home: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return dataclasses.asdict(self)


def measure_strangers(cells: LabelledCells, never_known: Collection[str] = ()) -> tuple[Recognised, ...]:
    """Leave out each laboratory, and a fifth of the groups of all of them in turn.

    Args:
        cells: labelled, of several laboratories; groups are what may be one patient, slides what a verdict is on.
        never_known: laboratories that describe nothing and are strangers to all.
    """
    cells = at_most_of_a_slide(cells)
    traits = traits_of(cells.crops)
    describing = ~np.isin(cells.laboratories, list(never_known))

    def distances(known: NDArray[np.bool_], judged: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How far cells lie from all that is known, 1.0 being the limit of a cell; from nothing all are far."""
        known = known & describing
        appearance = describe_laboratories(traits[known], cells.laboratories[known], cells.groups[known])
        return np.full(judged.sum(), np.inf) if appearance is None else appearance.relative_distances(traits[judged])

    at_home = np.full(len(cells), np.nan)
    for out in _fifths(cells.groups):
        at_home[out] = distances(~out, out)
    found = []
    for name in np.unique(cells.laboratories):
        own = cells.laboratories == name
        left_out = distances(~own, own)
        slides, home = cells.slides[own], None if name in never_known else at_home[own]
        found.append(
            Recognised(
                laboratory=str(name),
                cells=int(own.sum()),
                slides=len(set(slides.tolist())),
                slides_left_out=_unknown_slides(left_out, slides),
                cells_left_out=proportion(left_out > 1),
                slides_at_home=None if home is None else _unknown_slides(home, slides),
                cells_at_home=None if home is None else proportion(home > 1),
                blasts_at_home=None
                if home is None or not cells.labels[own].any()
                else proportion(home[cells.labels[own]] > 1),
            )
        )
    return tuple(found)


def at_most_of_a_slide(cells: LabelledCells) -> LabelledCells:
    """So many cells of each slide as `MOST_OF_A_SLIDE` allows."""
    # Shuffled in a fixed way: neighbours in a file are neighbours on the slide.
    shuffled = [np.random.default_rng(0).permutation(rows)[:MOST_OF_A_SLIDE] for rows in _rows_of(cells.slides)]
    return cells.subset(np.sort(np.concatenate(shuffled)))


def strangers_table(rows: Sequence[Recognised]) -> str:
    """The rows as a Markdown table."""
    headings = ("laboratory", "cells, slides", *(f"{what} called unknown" for what in ("slides", "cells")))
    headings = (*headings, "slides at home", "cells at home", "ALL cells at home")
    lines = [headings, ("---",) * len(headings)]
    for row in rows:
        shares = (row.slides_left_out, row.cells_left_out, row.slides_at_home, row.cells_at_home, row.blasts_at_home)
        lines.append(
            (laboratory_name(row.laboratory), f"{row.cells}, {row.slides}", *(_words(share) for share in shares))
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fifths(groups: NDArray[np.str_]) -> list[NDArray[np.bool_]]:
    """The cells of each fifth of the groups, which are shuffled in a fixed way."""
    names, number = np.unique(groups, return_inverse=True)
    fold = np.random.default_rng(0).permutation(len(names))[number] % FOLDS
    return [fold == one for one in range(FOLDS) if (fold == one).any()]


def _unknown_slides(distances: NDArray[np.float64], slides: NDArray[np.str_]) -> Estimate:
    """Share of the slides that a station calls unknown, by the rule of its verdict."""
    return proportion(np.array([(distances[rows] > SLIDE_LIMIT).mean() > UNKNOWN_SHARE for rows in _rows_of(slides)]))


def _rows_of(names: NDArray[np.str_]) -> list[NDArray[np.intp]]:
    return [np.flatnonzero(names == name) for name in np.unique(names)]


def _words(share: Estimate | None) -> str:
    return "" if share is None else f"{share.value:.2f} ({share.low:.2f} to {share.high:.2f})"
