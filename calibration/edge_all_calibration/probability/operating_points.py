"""From calibrated probabilities to the two thresholds of a decision.

First the *operating point*, one threshold that divides the cells; then the *indeterminate band* around it, within which
the station calls a person instead of deciding. Both are fixed by calibration cells alone, before any test cell is seen.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import UsageError
from edge_all.model.card import Band, Thresholds
from edge_all.slides.verdict import wilson_interval

__all__ = ["OperatingPolicy", "fit_thresholds", "match_cut", "match_thresholds"]

PointKind = Literal["sensitivity", "youden", "fixed", "band"]


@dataclass(frozen=True, slots=True)
class OperatingPolicy:
    """How the thresholds are chosen.

    Attributes:
        kind: ``sensitivity``: the highest threshold that keeps it; ``youden``: the greatest sum of sensitivity and
            specificity (Youden 1950); ``fixed``: this probability; ``band``: both ends of the band are named, and
            nothing is fitted.
        value: the sensitivity or the probability; not read for ``youden`` and ``band``.
        missed: the lower end of the band lets at most this share of ALL cells be called non-ALL.
        false_alarms: the upper end lets at most this share of non-ALL cells be called ALL.
        indeterminate: at most this share of the calibration cells may fall into the band, or the slide verdict drowns
            in it (a quarter of undecided cells makes a slide indeterminate); a wider band is narrowed.
        band: its two ends for ``band``, None else. Whoever has few cells, or cells with weak labels, names them: fitted
            ends then jump with a single cell.
    """

    kind: PointKind = "youden"
    value: float = 0.95
    missed: float = 0.03
    false_alarms: float = 0.03
    indeterminate: float = 0.15
    band: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        shares = {"missed": self.missed, "false_alarms": self.false_alarms, "indeterminate": self.indeterminate}
        if (self.kind == "band") != (self.band is not None):
            raise UsageError("A band that is fixed has two ends, and no other has.", "Give both, or another kind.")
        if self.band is not None:
            Band(*self.band)
        if self.kind in ("sensitivity", "fixed"):
            shares["value"] = self.value
        for name, share in shares.items():
            if not 0.0 <= share <= 1.0:
                raise UsageError(f"{name} of the operating point is {share}.", "Give a share from 0 to 1.")

    @property
    def by_hand(self) -> bool:
        """Whether a threshold is named rather than fitted."""
        return self.kind in ("fixed", "band")


def fit_thresholds(
    probabilities: NDArray[np.float64], labels: NDArray[np.bool_], policy: OperatingPolicy
) -> Thresholds:
    """Thresholds from labelled calibration cells; the out-of-distribution limit is left open (None).

    Args:
        probabilities: ``float64 [n]`` calibrated.
        labels: ``bool [n]``, both classes present.
        policy: how to choose.
    """
    low, high = policy.band or _fitted_band(probabilities, labels, policy)
    negatives = probabilities[~labels]
    false_positives = int((negatives >= high).sum())
    return Thresholds(low, high, None, wilson_interval(false_positives, len(negatives))[1])


def _fitted_band(
    probabilities: NDArray[np.float64], labels: NDArray[np.bool_], policy: OperatingPolicy
) -> tuple[float, float]:
    candidates = _cuts(probabilities)
    point = _operating_point(candidates, probabilities, labels, policy)
    positives, negatives = np.sort(probabilities[labels]), np.sort(probabilities[~labels])
    # Share of ALL cells under each cut, and of non-ALL cells from each cut on.
    missed = np.searchsorted(positives, candidates, "left") / len(positives)
    alarms = 1.0 - np.searchsorted(negatives, candidates, "left") / len(negatives)
    low = min(point, float(candidates[missed <= policy.missed].max(initial=0.0)))
    high = max(point, float(candidates[alarms <= policy.false_alarms].min(initial=1.0)))
    return _narrowed(low, high, point, probabilities, policy.indeterminate)


def match_thresholds(
    probabilities: NDArray[np.float64], reference: NDArray[np.float64], thresholds: Thresholds
) -> Thresholds:
    """Thresholds at which a variant decides as the reference does.

    Labels fix the thresholds of FP32. A second variant fitted to labels anew would move its thresholds by the noise of
    the few cells near them; here each threshold goes where fewest calibration cells change sides, and stays where it is
    when that changes none.

    Args:
        probabilities: ``float64 [n]`` of the variant, calibrated.
        reference: ``float64 [n]`` of FP32 on the same cells, calibrated.
        thresholds: of FP32.
    """
    low = match_cut(probabilities, reference >= thresholds.non_all_below, thresholds.non_all_below)
    high = match_cut(probabilities, reference >= thresholds.all_from, thresholds.all_from)
    return dataclasses.replace(thresholds, non_all_below=min(low, high, 1.0), all_from=min(max(low, high), 1.0))


def match_cut(values: NDArray[np.float64], above: NDArray[np.bool_], start: float) -> float:
    """The cut at which fewest cells lie on another side than ``above`` says; of several the nearest to ``start``.

    Args:
        values: ``float64 [n]`` of the cells.
        above: ``bool [n]``, which cells should lie from the cut on.
        start: where the cut would be by itself.
    """
    distinct = np.unique(values)
    # Right at a cell and right behind it, so that the cut moves no further than it must: among few cells the middle of
    # a gap can be far away, and unseen cells in the gap would be decided otherwise.
    cuts = np.concatenate([[start], distinct, np.nextafter(distinct, np.inf)])
    disagreements = np.array([np.count_nonzero((values >= cut) != above) for cut in cuts])
    best = cuts[disagreements == disagreements.min()]
    return float(best[np.abs(best - start).argmin()])


def _cuts(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every threshold that divides the cells differently: midway between neighbours, and both ends."""
    distinct = np.unique(probabilities)
    return np.concatenate([[0.0], (distinct[1:] + distinct[:-1]) / 2.0, [1.0]])


def _operating_point(
    candidates: NDArray[np.float64],
    probabilities: NDArray[np.float64],
    labels: NDArray[np.bool_],
    policy: OperatingPolicy,
) -> float:
    if policy.kind == "fixed":
        return policy.value
    sensitivity = np.array([(probabilities[labels] >= cut).mean() for cut in candidates])
    if policy.kind == "sensitivity":
        return float(candidates[sensitivity >= policy.value].max())
    specificity = np.array([(probabilities[~labels] < cut).mean() for cut in candidates])
    gain = sensitivity + specificity
    # Of equally good cuts the middle one: it leaves most room on both sides.
    best = candidates[gain >= gain.max() - 1e-12]
    return float(best[len(best) // 2])


def _narrowed(
    low: float, high: float, point: float, probabilities: NDArray[np.float64], limit: float
) -> tuple[float, float]:
    """The band, with both ends drawn evenly towards the operating point until few enough cells lie inside."""
    for keep in np.linspace(1.0, 0.0, 101):
        ends = point + keep * (low - point), point + keep * (high - point)
        inside = (probabilities >= ends[0]) & (probabilities < ends[1])
        if inside.mean() <= limit:
            return ends
    return point, point
