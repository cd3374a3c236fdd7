"""Intervals that know that the cells of one patient resemble each other.

Cells are drawn by whole groups, as `edge_all_calibration.figures.intervals` draws them for the gate. Drawing
single cells would treat the two hundred cells of one smear as two hundred patients and give intervals far too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.slides.verdict import wilson_interval
from edge_all_calibration.figures.intervals import (
    AGREEING,
    RESAMPLES,
    Estimate,
    bootstrap,
    percentile_interval,
    resample_rows,
    resamples_agree,
)

__all__ = ["Figure", "estimate", "share_over_groups", "summarise"]

MOST_UNDEFINED = 0.5
"""Above this share of resamples in which a figure is undefined (one class only) no interval is given."""

GROUPS = (
    "cells that may be of one patient: the patient where he is known, else a block of neighbouring fields, as edge-all "
    "train counts blocks; of a table, what its column group says"
)
"""What a group is, for whoever reads how many there are."""
BOOTSTRAP = "bootstrap over groups"
WILSON = "Wilson over groups"

Statistic = Callable[[NDArray[np.intp]], dict[str, float]]
"""Rows (with repetition) -> figures by name; NaN where a figure is undefined for these rows."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, its 95 % interval, and what both rest on.

    Attributes:
        value: None where the data leave it undefined.
        low, high: ends of the interval; None where none can be given.
        interval: how the interval was made, or why there is none.
        samples: cells (or slides) that the figure is about.
        groups: groups that they are from.
    """

    value: float | None
    low: float | None
    high: float | None
    interval: str
    samples: int
    groups: int

    def to_json(self) -> dict[str, Any]:
        """The figure as JSON-ready values."""
        return asdict(self)


def estimate(
    groups: Sequence[str],
    statistic: Statistic,
    *,
    relevant: dict[str, NDArray[np.bool_]] | None = None,
    proportions: frozenset[str] = frozenset(),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Figure]:
    """Figures of all rows, each with its interval.

    Args:
        groups: group of each row.
        statistic: computes the figures of some rows.
        relevant: by figure, the rows that it is about (for sensitivity the ALL ones); all rows where not given.
        proportions: the figures that are shares of their relevant rows.
        resamples: draws of the bootstrap.
        seed: of the draws.
    """
    everything = np.arange(len(groups))
    values = statistic(everything)
    names = np.asarray(groups)
    several = len(set(groups)) > 1
    draws = [statistic(rows) for rows in resample_rows(groups, resamples, seed)] if several else []
    figures = {}
    for name, value in values.items():
        about = (relevant or {}).get(name, np.ones(len(groups), bool))
        figures[name] = summarise(
            value,
            np.asarray([draw[name] for draw in draws]),
            samples=int(about.sum()),
            groups=len(np.unique(names[about])),
            proportion=name in proportions,
        )
    return figures


def summarise(value: float, draws: NDArray[np.float64], *, samples: int, groups: int, proportion: bool) -> Figure:
    """Percentile interval of one figure.

    Resamples in which the figure is undefined are left out. The calibration error is biased upwards in resamples, so
    an interval is widened, where need be, to hold the figure itself. Where every resample gives the same value the
    bootstrap is blind: for a share of all (or none) a Wilson interval over groups takes its place, as if each group
    were one trial, which is cautious; for other figures no interval is given.

    Args:
        value: figure of all rows; NaN where undefined.
        draws: ``float64 [resamples]``; empty where there is only one group.
        samples: rows that the figure is about.
        groups: groups that they are from.
        proportion: whether it is a share of its rows.
    """
    if np.isnan(value):
        return Figure(None, None, None, "undefined: these samples hold one class only", samples, groups)
    defined = draws[~np.isnan(draws)]
    if proportion and value in (0.0, 1.0) and groups > 0:
        low, high = wilson_interval(groups if value else 0, groups)
        return Figure(value, low, high, WILSON, samples, groups)
    if len(draws) == 0 or groups < 2:
        return Figure(value, None, None, "no interval: one group only", samples, groups)
    if len(defined) <= (1 - MOST_UNDEFINED) * len(draws):
        return Figure(value, None, None, "no interval: most resamples hold one class only", samples, groups)
    low, high = percentile_interval(defined)
    if resamples_agree(low, high):
        return Figure(value, None, None, AGREEING, samples, groups)
    return Figure(value, min(low, value), max(high, value), BOOTSTRAP, samples, groups)


def share_over_groups(hits: NDArray[np.bool_], groups: NDArray[np.str_]) -> Estimate | None:
    """A share with its interval over groups; where all agree, that of as many trials as there are groups.

    Args:
        hits: ``bool [n]``.
        groups: ``str [n]``, the group of each.

    Returns:
        None of nothing.
    """
    if not len(hits):
        return None
    found = bootstrap(lambda drawn: float(hits[drawn].mean()), groups)
    count = len(set(groups.tolist()))
    figure = summarise(found.value, np.array([found.low, found.high]), samples=len(hits), groups=count, proportion=True)
    if found.value in (0.0, 1.0) and figure.low is not None and figure.high is not None:
        return Estimate(found.value, figure.low, figure.high)
    return found
