"""The indeterminate zone of an adapted package: the one that it had, until labelled cells earn it another.

Thresholds fitted to a few dozen cells that the network tells apart fall together, and then no cell goes to a person
any more, in the very laboratory about which least is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import labels_of
from edge_all.model.card import Thresholds
from edge_all_calibration.probability.operating_points import OperatingPolicy, fit_thresholds

__all__ = ["FEWEST_FOR_ZONE", "adapted_zone", "is_empty", "rightness"]

FEWEST_FOR_ZONE = 30
"""Of fewer cells no zone is fitted; as for a head, what is fitted to fewer only seems to be better."""
FOLDS = 5
CLEARLY = 2.0
"""Standard errors by which a fitted zone must decide cells better that it was not fitted to: chance does so one time in
forty."""


def is_empty(thresholds: Thresholds) -> bool:
    """Whether no probability is indeterminate."""
    return thresholds.non_all_below >= thresholds.all_from


def adapted_zone(probabilities: NDArray[np.float64], labels: NDArray[np.bool_], base: Thresholds) -> Thresholds:
    """Thresholds for the cells of one more laboratory; the out-of-distribution limit is left open (None).

    Args:
        probabilities: ``float64 [n]`` calibrated for the laboratory.
        labels: ``bool [n]``, both classes present.
        base: of the package that is adapted, for probabilities calibrated for its own laboratories.

    Returns:
        The base's two thresholds, or fitted ones with a zone between them that earned their place. A base without a
        zone keeps nothing that is worth keeping: then the fitted ones are taken.
    """
    fitted = fit_thresholds(probabilities, labels, OperatingPolicy())
    if is_empty(base) or (not is_empty(fitted) and _earned(probabilities, labels, base)):
        return fitted
    return fit_thresholds(probabilities, labels, OperatingPolicy("band", band=(base.non_all_below, base.all_from)))


def _earned(probabilities: NDArray[np.float64], labels: NDArray[np.bool_], base: Thresholds) -> bool:
    """Whether thresholds fitted to some cells decide the others clearly better than the base's."""
    if len(labels) < FEWEST_FOR_ZONE:
        return False
    folds = np.random.default_rng(0).permutation(len(labels)) % FOLDS
    gain = -rightness(labels_of(probabilities, None, base), labels)
    for fold in range(FOLDS):
        rest, out = folds != fold, folds == fold
        if len(set(labels[rest].tolist())) < 2:
            return False
        found = fit_thresholds(probabilities[rest], labels[rest], OperatingPolicy())
        gain[out] += rightness(labels_of(probabilities[out], None, found), labels[out])
    # Mean over both classes, so that the commoner does not decide.
    classes = [gain[labels], gain[~labels]]
    error = np.sqrt(sum(one.var() / len(one) for one in classes))
    return bool(sum(one.mean() for one in classes) > CLEARLY * error)


def rightness(decided: NDArray[np.str_], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """``float64 [n]``: 1 for a cell decided rightly, 0 for one decided wrongly; what goes to a person counts half."""
    return np.where(decided == "indeterminate", 0.5, decided == np.where(labels, "ALL", "non-ALL"))
