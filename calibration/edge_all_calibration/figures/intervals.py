"""Figures with their intervals; the gate and the evaluation draw and cut them here, and nowhere else.

Cells of one slide are no independent witnesses, so a bootstrap draws whole groups (Field and Welsh, J. R. Stat. Soc. B
69, 2007: the cluster bootstrap); drawing single cells would make the intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.slides.verdict import wilson_interval

__all__ = [
    "CONFIDENCE",
    "RESAMPLES",
    "Estimate",
    "bootstrap",
    "percentile_interval",
    "proportion",
    "resample_rows",
]

RESAMPLES = 1000
"""Enough that the ends of a 95 % interval rest on 25 resamples each (Efron and Tibshirani 1993, chapter 14)."""
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def proportion(hits: NDArray[np.bool_]) -> Estimate:
    """Share of True with its Wilson interval; of nothing it is unknown: 0 to 1."""
    if len(hits) == 0:
        return Estimate(float("nan"), 0.0, 1.0)
    low, high = wilson_interval(int(hits.sum()), len(hits))
    return Estimate(float(hits.mean()), low, high)


def resample_rows(
    groups: Sequence[str] | NDArray[np.str_], resamples: int = RESAMPLES, seed: int = 0
) -> list[NDArray[np.intp]]:
    """Draw groups with replacement, as many as there are; each drawn group brings all its rows.

    Args:
        groups: group of each row.
        resamples: how many draws.
        seed: the same seed and groups give the same draws, which is what pairs two evaluations.

    Returns:
        Row indices of each draw, with repetition.
    """
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    count = int(member.max()) + 1
    order = np.argsort(member, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(member))[:-1])
    generator = np.random.default_rng(seed)
    return [
        np.concatenate([rows_of[drawn] for drawn in generator.integers(count, size=count)]) for _ in range(resamples)
    ]


def percentile_interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The two ends between which `CONFIDENCE` of the draws ``float64 [n]`` lie, n > 0."""
    low, high = np.quantile(draws, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def bootstrap(figure: Callable[[NDArray[np.intp]], float], groups: NDArray[np.str_]) -> Estimate:
    """A figure of a sample with its percentile interval over resampled groups.

    Args:
        figure: computes the figure from the indices of the drawn cells; may give NaN where a draw lacks a class.
        groups: ``str [n]`` group of each cell.
    """
    draws = np.array([figure(rows) for rows in resample_rows(groups)])
    value = figure(np.arange(len(groups)))
    finite = draws[np.isfinite(draws)]
    if len(finite) == 0:
        return Estimate(value, float("nan"), float("nan"))
    return Estimate(value, *percentile_interval(finite))
