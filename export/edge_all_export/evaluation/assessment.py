"""Predictions in, an evaluation out: every figure with its interval and what it rests on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.model.card import Band
from edge_all.results import INTENDED_USE
from edge_all.slides.verdict import wilson_interval
from edge_all.wording.laboratories import laboratory_name
from edge_all.wording.percentages import percent
from edge_all_calibration.figures.intervals import CONFIDENCE, RESAMPLES, few_groups
from edge_all_calibration.figures.measures import CALIBRATION_METHOD
from edge_all_export.evaluation.bootstrap import Figure, estimate
from edge_all_export.evaluation.metrics import (
    CUTOFF,
    METRICS,
    ORDERING,
    confusion,
    measure,
    report_table,
    report_text,
)
from edge_all_export.evaluation.predictions import Predictions
from edge_all_export.evaluation.slides import SLIDE_SCORE, slide_predictions, verdict_table

__all__ = [
    "BAND_METRICS",
    "EVALUATION_SCHEMA",
    "BandAssessment",
    "Evaluation",
    "FalseAlarms",
    "GroupRow",
    "Level",
    "Ordering",
    "assess_level",
    "assess_ordering",
    "evaluate",
]

EVALUATION_SCHEMA = 1
"""Raised whenever an older reader could misread a newer file."""

SWAPPED_AUC = 0.2
"""No network that has learnt nothing comes so far below 0.5 on a usable number of cells; one whose classes are swapped
has 1 minus the AUC of the right way round."""
SUSPICIOUS_AUC = 0.995
"""Subject-disjoint studies of ALL report AUCs of 0.91 to 0.98; far above that, a leak is likelier than a feat."""

BAND_METRICS = {
    "coverage": ("Coverage", "share of all cells that is decided, not left indeterminate"),
    "accuracy_decided": ("Accuracy, decided", "share of right decisions among decided cells"),
    "sensitivity_decided": ("Sensitivity, decided", "share called ALL among decided ALL cells"),
    "specificity_decided": ("Specificity, decided", "share called non-ALL among decided non-ALL cells"),
    "missed": ("Missed ALL", "share of all ALL cells, decided or not, that is called non-ALL"),
    "false_alarms": ("False alarms", "share of all non-ALL cells, decided or not, that is called ALL"),
}
"""Figures of an indeterminate band: title and meaning."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """How well one set of samples is ordered by its scores; all that is said of slides.

    Attributes:
        samples, positives, groups: what the figures rest on.
        figures: by name, at least `edge_all_export.evaluation.metrics.ORDERING`.
    """

    samples: int
    positives: int
    groups: int
    figures: dict[str, Figure]


@dataclass(frozen=True, slots=True)
class Level(Ordering):
    """Figures of one set of samples with probabilities, all of `METRICS`: the cells, or those of one source.

    Attributes:
        confusion: ``[[true non-ALL, falsely ALL], [missed ALL, true ALL]]``.
        classification_report: scikit-learn's, as text.
        classification: the same as values.
    """

    confusion: list[list[int]]
    classification_report: str
    classification: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BandAssessment:
    """What the indeterminate band does.

    Attributes:
        band: its ends.
        figures: by name, see `BAND_METRICS`.
        counts: truth -> decision -> cells.
        verdicts: truth -> slide verdict -> slides; None where there are no slides or no false-positive rate.
    """

    band: Band
    figures: dict[str, Figure]
    counts: dict[str, dict[str, int]]
    verdicts: dict[str, dict[str, int]] | None


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """A source without any ALL cell: every ALL call is a false positive.

    Attributes:
        source: its name.
        samples, groups: what it holds.
        called_all: how many are called ALL where a decision is forced.
        interval: 95 % Wilson interval of their share; cells are taken as independent.
        with_band: decision -> cells where there is an indeterminate band, else None.
        band_interval: Wilson interval of the share called ALL with the band, else None.
    """

    source: str
    samples: int
    groups: int
    called_all: int
    interval: tuple[float, float]
    with_band: dict[str, int] | None
    band_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group of the table that finds where a model fails.

    Attributes:
        group: its name.
        sources: data sets that it has cells of.
        samples, positives, mistakes: counts.
        accuracy_interval: 95 % Wilson interval of its accuracy.
        sensitivity, specificity: None where it has no cell of that class.
    """

    group: str
    sources: tuple[str, ...]
    samples: int
    positives: int
    mistakes: int
    accuracy_interval: tuple[float, float]
    sensitivity: float | None
    specificity: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that an evaluation says.

    Attributes:
        name: of what was judged.
        created: ISO 8601, UTC.
        model: what judged, by name (file, version, variant, provider ...).
        cutoff: probability from which on a cell is called ALL where a decision is forced.
        resamples, seed: of the bootstrap.
        cells: the cell level.
        slides: the order of the slides; None where no two cells share a slide.
        band: None where no thresholds were given.
        folds: the cell level of each fold of a cross-validation; empty where there are none.
        sources: the cell level of each source with both classes or of ALL cells only; empty for a single source.
        all_normal: the sources without any ALL cell.
        group_rows: most mistakes first.
        notes: what a reader must know before believing a figure.
        predictions: what all this was computed from.
    """

    name: str
    created: str
    model: dict[str, Any]
    cutoff: float
    resamples: int
    seed: int
    cells: Level
    slides: Ordering | None
    band: BandAssessment | None
    folds: dict[str, Level]
    sources: dict[str, Level]
    all_normal: tuple[FalseAlarms, ...]
    group_rows: tuple[GroupRow, ...]
    notes: tuple[str, ...]
    predictions: Predictions

    def to_json(self) -> dict[str, Any]:
        """The content of ``evaluation.json``."""
        record = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("predictions", "group_rows")
        }
        return {
            "schema": EVALUATION_SCHEMA,
            "kind": "evaluation",
            "intended_use": INTENDED_USE,
            **_plain(record),
            "methods": {
                "interval": f"{percent(CONFIDENCE, 0)} percentile bootstrap over groups (cluster bootstrap)",
                "calibration_error": f"{CALIBRATION_METHOD} (Naeini et al. 2015, Guo et al. 2017)",
                "slide_score": SLIDE_SCORE,
            },
            "groups": [dataclasses.asdict(row) for row in self.group_rows],
            "predictions": self.predictions.to_json(),
        }


def evaluate(
    predictions: Predictions,
    *,
    name: str,
    model: dict[str, Any] | None = None,
    band: Band | None = None,
    cutoff: float = CUTOFF,
    notes: Sequence[str] = (),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Evaluate predictions at cell and at slide level, by source and by group.

    Args:
        predictions: labelled and judged cells.
        name: of what was judged, for headings.
        model: what judged, for the record.
        band: the indeterminate band, where thresholds are known.
        cutoff: probability from which on a cell is called ALL where a decision is forced.
        notes: what a reader must know; warnings found here are added.
        resamples: draws of the bootstrap.
        seed: of the draws.
    """
    slides = slide_predictions(predictions)
    by_source = {
        source: predictions.take(np.flatnonzero(np.asarray(predictions.source) == source))
        for source in sorted(set(predictions.source))
    }
    mixed = {source: part for source, part in by_source.items() if part.label.any()}
    cells = assess_level(predictions, cutoff, resamples, seed)
    return Evaluation(
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model=model or {},
        cutoff=cutoff,
        resamples=resamples,
        seed=seed,
        cells=cells,
        slides=None if slides is None else assess_ordering(slides, resamples, seed),
        band=None if band is None else _assess_band(predictions, band, resamples, seed),
        folds={fold: assess_level(part, cutoff, resamples, seed) for fold, part in _by_fold(predictions).items()},
        sources={source: assess_level(part, cutoff, resamples, seed) for source, part in mixed.items()}
        if len(by_source) > 1
        else {},
        all_normal=tuple(
            _false_alarms(source, part, cutoff, band) for source, part in by_source.items() if source not in mixed
        ),
        group_rows=_group_rows(predictions, cutoff),
        notes=(*notes, *_warnings(predictions, cells)),
        predictions=predictions,
    )


def assess_level(predictions: Predictions, cutoff: float, resamples: int, seed: int) -> Level:
    """The figures of one set of cells."""
    label, probability = predictions.label, predictions.probability
    called = (probability >= cutoff).astype(np.int64)
    return Level(
        samples=len(predictions),
        positives=int(label.sum()),
        groups=len(set(predictions.group)),
        figures=estimate(
            predictions.group,
            lambda rows: measure(label[rows], probability[rows], cutoff),
            relevant={"sensitivity": label == 1, "specificity": label == 0},
            proportions=frozenset(name for name, metric in METRICS.items() if metric.proportion),
            resamples=resamples,
            seed=seed,
        ),
        confusion=confusion(label, called),
        classification_report=report_text(label, called),
        classification=report_table(label, called),
    )


def assess_ordering(predictions: Predictions, resamples: int, seed: int) -> Ordering:
    """The figures of one set of rows whose scores are no probabilities."""
    label, score = predictions.label, predictions.probability

    def figures(rows: NDArray[np.intp]) -> dict[str, float]:
        measured = measure(label[rows], score[rows])
        return {name: measured[name] for name in ORDERING}

    return Ordering(
        samples=len(predictions),
        positives=int(label.sum()),
        groups=len(set(predictions.group)),
        figures=estimate(predictions.group, figures, resamples=resamples, seed=seed),
    )


def _assess_band(predictions: Predictions, band: Band, resamples: int, seed: int) -> BandAssessment:
    decisions = np.asarray(predictions.decisions(band))
    called_all, called_other = decisions == "ALL", decisions == "non-ALL"
    decided, truth = called_all | called_other, predictions.label == 1

    def shares(rows: NDArray[np.intp]) -> dict[str, float]:
        ruled, positive, alarm, cleared = decided[rows], truth[rows], called_all[rows], called_other[rows]
        return {
            "coverage": _share(ruled),
            "accuracy_decided": _share((alarm == positive)[ruled]),
            "sensitivity_decided": _share(alarm[ruled & positive]),
            "specificity_decided": _share(cleared[ruled & ~positive]),
            "missed": _share(cleared[positive]),
            "false_alarms": _share(alarm[~positive]),
        }

    return BandAssessment(
        band=band,
        figures=estimate(
            predictions.group,
            shares,
            relevant={
                "accuracy_decided": decided,
                "sensitivity_decided": decided & truth,
                "specificity_decided": decided & ~truth,
                "missed": truth,
                "false_alarms": ~truth,
            },
            proportions=frozenset(BAND_METRICS),
            resamples=resamples,
            seed=seed,
        ),
        counts={name: _count(decisions[truth == (name == "ALL")]) for name in ("ALL", "non-ALL")},
        verdicts=verdict_table(predictions, band),
    )


def _by_fold(predictions: Predictions) -> dict[str, Predictions]:
    if predictions.fold is None:
        return {}
    names = np.asarray(predictions.fold)
    return {fold: predictions.take(np.flatnonzero(names == fold)) for fold in sorted(set(predictions.fold))}


def _false_alarms(source: str, part: Predictions, cutoff: float, band: Band | None) -> FalseAlarms:
    called = int((part.probability >= cutoff).sum())
    counts = None if band is None else _count(np.asarray(part.decisions(band)))
    return FalseAlarms(
        source=source,
        samples=len(part),
        groups=len(set(part.group)),
        called_all=called,
        interval=wilson_interval(called, len(part)),
        with_band=counts,
        band_interval=None if counts is None else wilson_interval(counts["ALL"], len(part)),
    )


def _group_rows(predictions: Predictions, cutoff: float) -> tuple[GroupRow, ...]:
    names = np.asarray(predictions.group)
    right = (predictions.probability >= cutoff) == (predictions.label == 1)
    rows = []
    for group in sorted(set(predictions.group)):
        inside = np.flatnonzero(names == group)
        truth, hits = predictions.label[inside] == 1, right[inside]
        sensitivity, specificity = _share(hits[truth]), _share(hits[~truth])
        rows.append(
            GroupRow(
                group=group,
                sources=tuple(sorted({predictions.source[row] for row in inside})),
                samples=len(inside),
                positives=int(truth.sum()),
                mistakes=int((~hits).sum()),
                accuracy_interval=wilson_interval(int(hits.sum()), len(inside)),
                sensitivity=None if np.isnan(sensitivity) else sensitivity,
                specificity=None if np.isnan(specificity) else specificity,
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.mistakes, row.samples, row.group)))


def _warnings(predictions: Predictions, cells: Level) -> list[str]:
    warnings: list[str] = []
    for kind, figure in (("ALL", cells.figures["sensitivity"]), ("non-ALL", cells.figures["specificity"])):
        warnings += few_groups(kind, figure.samples, figure.groups)
    if cells.groups == cells.samples > 1:
        warnings.append(
            "Every cell is a group of its own. If several cells are from one patient, the intervals are too narrow."
        )
    auc = cells.figures["auc"].value
    if auc is not None and auc > SUSPICIOUS_AUC:
        warnings.append(
            f"An AUC above {SUSPICIOUS_AUC} invites a check that no field, patient or copy of these cells was in the "
            "training data."
        )
    if auc is not None and auc < SWAPPED_AUC:
        warnings.append(
            f"An AUC of {auc:.2f} is no chance: the classes are swapped. Either the labels are, or the network's "
            "output is the probability of non-ALL; check which, and export it the right way round."
        )
    class_by_source = {
        source: {
            int(label) for name, label in zip(predictions.source, predictions.label, strict=True) if name == source
        }
        for source in set(predictions.source)
    }
    one_class = sorted(source for source, labels in class_by_source.items() if len(labels) == 1)
    if one_class and len(class_by_source) > 1:
        named = ", ".join(map(laboratory_name, one_class))
        warnings.append(
            f"One class only in {named}: the pooled figures partly tell sources apart, not cells. "
            "Read the table by source."
        )
    return warnings


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _count(decisions: NDArray[np.str_]) -> dict[str, int]:
    return {label: int((decisions == label).sum()) for label in ("ALL", "indeterminate", "non-ALL")}


def _plain(value: Any) -> Any:  # noqa: ANN401 - walks values of every type
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
