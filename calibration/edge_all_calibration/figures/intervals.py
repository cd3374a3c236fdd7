"""Figures with their intervals; the gate and the evaluation draw and cut them here, and nowhere else.

Cells of one slide are no independent witnesses, so a bootstrap draws whole groups (Field and Welsh, J. R. Stat. Soc. B
69, 2007: the cluster bootstrap); drawing single cells would make the intervals too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_all.slides.verdict import wilson_interval
from edge_all.wording.plurals import counted

__all__ = [
    "AGREEING",
    "CONFIDENCE",
    "RESAMPLES",
    "Estimate",
    "bootstrap",
    "few_groups",
    "percentile_interval",
    "proportion",
    "resample_rows",
    "resamples_agree",
]

RESAMPLES = 1000
"""Enough that the ends of a 95 % interval rest on 25 resamples each (Efron and Tibshirani 1993, chapter 14)."""
CONFIDENCE = 0.95
FEW_GROUPS = 20
"""With fewer groups of a class the cluster bootstrap's intervals are too narrow
(Cameron, Gelbach and Miller, Rev. Econ. Stat. 90, 2008); reports say so."""
AGREEING = "no interval: all resamples agree"
"""Where the bootstrap is blind: an interval without width would claim to know the figure exactly."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval; both ends are NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def interval(self) -> str:
        """The interval in words; `AGREEING` where there is none, empty where the figure itself is not known."""
        if math.isnan(self.value):
            return ""
        return AGREEING if math.isnan(self.low) else f"{self.low:.4f} to {self.high:.4f}"

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.interval})"


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


def resamples_agree(low: float, high: float) -> bool:
    """Whether a percentile interval has no width, and so says nothing."""
    return math.isclose(low, high, rel_tol=0, abs_tol=1e-9)


def few_groups(kind: str, cells: int, groups: int) -> tuple[str, ...]:
    """The warning that intervals are too narrow, where cells of a class are from fewer than `FEW_GROUPS` groups.

    Args:
        kind: the class.
        cells: of the class.
        groups: that they are from.
    """
    if not 0 < groups < FEW_GROUPS:
        return ()
    warning = (
        f"All {cells} {kind} cells are from {counted(groups, 'group')}: intervals from a bootstrap over so few are too "
        "narrow, read them as a lower bound of the doubt."
    )
    return (warning,)


def bootstrap(figure: Callable[[NDArray[np.intp]], float], groups: NDArray[np.str_]) -> Estimate:
    """A figure of a sample with its percentile interval over resampled groups; none where all resamples agree.

    Args:
        figure: computes the figure from the indices of the drawn cells; may give NaN where a draw lacks a class.
        groups: ``str [n]`` group of each cell.
    """
    draws = np.array([figure(rows) for rows in resample_rows(groups)])
    value = figure(np.arange(len(groups)))
    finite = draws[np.isfinite(draws)]
    low, high = percentile_interval(finite) if len(finite) else (float("nan"), float("nan"))
    if resamples_agree(low, high):
        return Estimate(value, float("nan"), float("nan"))
    return Estimate(value, low, high)
