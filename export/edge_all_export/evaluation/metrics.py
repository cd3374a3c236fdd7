"""The figures by which a classifier of cells is judged.

Confusion matrix, classification report and precision-recall curve are scikit-learn's. AUC and expected calibration
error are those of the release gate (`edge_all_calibration.figures.measures`). What is a plain mean or ratio (accuracy,
sensitivity, specificity, F1, Brier score) is taken as one, because a bootstrap asks for it a thousand times and
scikit-learn's checks of its input cost far more than the sum. The tests hold each against scikit-learn's own value,
where it has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.metrics import (
    classification_report,
    confusion_matrix,
    precision_recall_curve,
)

from edge_all_calibration.figures.measures import CALIBRATION_METHOD, auc, expected_calibration_error

__all__ = [
    "CLASS_NAMES",
    "CUTOFF",
    "METRICS",
    "ORDERING",
    "Metric",
    "confusion",
    "measure",
    "report_table",
    "report_text",
]

CUTOFF = 0.5
"""Where a decision is forced although no threshold was given, a cell is ALL from this probability on."""
CLASS_NAMES = ("non-ALL", "ALL")
"""Of label 0 and label 1."""


@dataclass(frozen=True, slots=True)
class Metric:
    """How one figure is shown and read.

    Attributes:
        title: for people.
        higher_is_better: direction.
        proportion: it is a share of samples, so that a Wilson interval applies.
        meaning: one sentence.
    """

    title: str
    higher_is_better: bool
    proportion: bool
    meaning: str


METRICS: dict[str, Metric] = {
    "accuracy": Metric("Accuracy", True, True, "share of right decisions"),
    "sensitivity": Metric("Sensitivity", True, True, "share of ALL that is called ALL"),
    "specificity": Metric("Specificity", True, True, "share of non-ALL that is called non-ALL"),
    "f1": Metric("F1", True, False, "harmonic mean of sensitivity and positive predictive value"),
    "auc": Metric("ROC AUC", True, False, "chance that an ALL scores above a non-ALL"),
    "average_precision": Metric("Average precision", True, False, "area under the precision-recall curve"),
    "brier": Metric("Brier score", False, False, "mean squared error of the probability"),
    "calibration_error": Metric(
        "Calibration error",
        False,
        False,
        f"expected calibration error, {CALIBRATION_METHOD}",
    ),
}
"""The figures of `measure`, in the order in which they are shown."""

ORDERING = ("auc", "average_precision")
"""Those of `METRICS` that go by the order of the scores alone: all that a score has which is no probability."""


def measure(label: NDArray[np.int64], probability: NDArray[np.float64], cutoff: float = CUTOFF) -> dict[str, float]:
    """All `METRICS` of one set of samples; NaN where the set leaves a figure undefined (no ALL, or no non-ALL).

    Args:
        label: ``int64 [n]``, 1 is ALL; n > 0.
        probability: ``float64 [n]`` of ALL.
        cutoff: probability from which on a sample is called ALL.
    """
    called, truth = probability >= cutoff, label == 1
    right = called == truth
    positives, nan = int(truth.sum()), float("nan")
    has_all, has_non_all = positives > 0, positives < len(label)
    true_positives = int((called & truth).sum())
    # Predictions has checked the values; scikit-learn's own checks would be most of a bootstrap's time.
    with sklearn.config_context(skip_parameter_validation=True, assume_finite=True):
        average_precision = _average_precision(truth, probability) if has_all else nan
    return {
        "accuracy": float(right.mean()),
        "sensitivity": float(right[truth].mean()) if has_all else nan,
        "specificity": float(right[~truth].mean()) if has_non_all else nan,
        "f1": 2 * true_positives / (positives + int(called.sum())) if has_all else nan,
        "auc": auc(probability, truth),
        "average_precision": average_precision,
        "brier": float(np.square(probability - label).mean()),
        "calibration_error": expected_calibration_error(probability, truth),
    }


def _average_precision(truth: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    precision, recall, _ = precision_recall_curve(truth, probability)
    return float(-(np.diff(recall) * precision[:-1]).sum())


def confusion(label: NDArray[np.int64], called: NDArray[np.int64]) -> list[list[int]]:
    """``[[true non-ALL, falsely ALL], [missed ALL, true ALL]]``: rows are the truth, columns the call."""
    rows: list[list[int]] = confusion_matrix(label, called, labels=[0, 1]).tolist()
    return rows


def report_text(label: NDArray[np.int64], called: NDArray[np.int64]) -> str:
    """scikit-learn's classification report."""
    return str(
        classification_report(
            label, called, labels=[0, 1], target_names=list(CLASS_NAMES), digits=4, zero_division=np.nan
        )
    )


def report_table(label: NDArray[np.int64], called: NDArray[np.int64]) -> dict[str, Any]:
    """scikit-learn's classification report as values; None where a figure is undefined."""
    table: dict[str, Any] = classification_report(
        label, called, labels=[0, 1], target_names=list(CLASS_NAMES), zero_division=np.nan, output_dict=True
    )
    return {
        name: {key: None if np.isnan(value) else float(value) for key, value in row.items()}
        if isinstance(row, dict)
        else float(row)
        for name, row in table.items()
    }
