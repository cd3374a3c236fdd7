"""What a station would say of a laboratory whose cells its package never saw: verdicts on slides, labels of cells.

`edge_all_export.evaluation.strangers` asks whether such a laboratory is recognised; here the package of a run that left
it out judges it as a station does, by its own temperature, thresholds and limits of likeness.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.classifier import Judgement
from edge_all.errors import UsageError
from edge_all.model.card import Thresholds
from edge_all.model.package import ModelPackage
from edge_all.wording.laboratories import laboratory_name
from edge_all_calibration.figures.intervals import Estimate
from edge_all_calibration.gating.slide_verdicts import slide_verdicts
from edge_all_calibration.labelled_cells.cells import LabelledCells
from edge_all_calibration.probability.appearance import known_cells, picture_digests
from edge_all_export.datasets.laboratories import LEFT_OUT
from edge_all_export.datasets.samples import Sample
from edge_all_export.evaluation.bootstrap import share_over_groups
from edge_all_export.evaluation.slides import LEAST_CELLS

__all__ = [
    "EXPLANATION",
    "Answers",
    "judged_answers",
    "one_set_a_slide",
    "refuse_known_cells",
    "unseen_laboratories",
    "verdicts_table",
]

VERDICTS = ("suspicious", "indeterminate", "not detected")
LABELS = ("ALL", "indeterminate", "non-ALL")
EXPLANATION = (
    "Number and share with its 95 % interval over groups (patients, or blocks of neighbouring fields). A slide is ALL "
    "in truth where any of its cells is; slides of one cell are not counted."
)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a package says of one class of a laboratory that it never saw.

    A slide is of the class ALL where any of its cells is.

    Attributes:
        laboratory: its name.
        package: name and version of what judged.
        truth: ``ALL`` or ``non-ALL``.
        slides, cells, groups: how many of them there are; slides of one cell are not counted, for that cell stands for
            itself.
        verdicts: share of the slides by verdict; empty where there are none.
        labels: share of the cells by label.
    """

    laboratory: str
    package: str
    truth: str
    slides: int
    cells: int
    groups: int
    verdicts: dict[str, Estimate]
    labels: dict[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """The row as JSON-ready values."""
        return dataclasses.asdict(self)


def unseen_laboratories(package: ModelPackage, present: Collection[str], never_known: Collection[str]) -> list[str]:
    """The laboratories of some data that a package was not trained on, as far as its card says.

    Args:
        package: verified.
        present: laboratories that there are cells of.
        never_known: those that no run is ever trained on.

    Raises:
        UsageError: there is none.
    """
    unseen = {package.card.training.get(LEFT_OUT), *never_known}
    found = [name for name in sorted(present) if name in unseen]
    if not found:
        raise UsageError(
            f"The card of {package.card.name} names no laboratory of these data that it was not trained on.",
            "Give a package exported from a run of `edge-all train --leave-out LABORATORY`.",
        )
    return found


def one_set_a_slide(samples: Sequence[Sample]) -> list[Sample]:
    """The samples without those that a second data set shows of the same slide.

    ALL-IDB2 is cut out of ALL-IDB1: a verdict would count its cells twice. Of each slide the set with most cells stays.
    """
    counts = Counter((sample.group, sample.source) for sample in samples)
    chief: dict[str, str] = {}
    for (group, source), count in sorted(counts.items()):
        if group not in chief or count > counts[group, chief[group]]:
            chief[group] = source
    return [sample for sample in samples if sample.source == chief[sample.group]]


def refuse_known_cells(package: ModelPackage, cells: LabelledCells) -> None:
    """See to it that a package was not trained on what it is to judge.

    Args:
        package: verified.
        cells: cut for it.

    Raises:
        UsageError: it was.
    """
    known = known_cells(package)
    seen = 0 if known is None else int(np.isin(picture_digests(cells.crops), known).sum())
    if seen:
        raise UsageError(
            f"{package.card.name} was trained on {seen} of the {len(cells)} cells of a laboratory that it is said not "
            "to have seen.",
            "Give the package of a run that left this laboratory out.",
        )


def judged_answers(
    package: str, cells: LabelledCells, judgements: Sequence[Judgement], thresholds: Thresholds
) -> tuple[Answers, ...]:
    """What was said of each laboratory and class.

    Args:
        package: name of what judged.
        cells: of laboratories that it never saw.
        judgements: of the cells.
        thresholds: by which they were labelled.
    """
    labels = np.array([one.label for one in judgements])
    distances = np.array([np.nan if one.out_of_distribution is None else one.out_of_distribution for one in judgements])
    verdicts = slide_verdicts(
        cells.slides.tolist(), labels.tolist(), thresholds, None if np.isnan(distances).any() else distances
    )
    found = []
    for laboratory in np.unique(cells.laboratories):
        own = cells.laboratories == laboratory
        for truth in ("ALL", "non-ALL"):
            chosen = own & (cells.labels == (truth == "ALL"))
            if chosen.any():
                slides, groups = _slides_of(cells, own, blasts=truth == "ALL")
                found.append(
                    Answers(
                        laboratory=str(laboratory),
                        package=package,
                        truth=truth,
                        slides=len(slides),
                        cells=int(chosen.sum()),
                        groups=len(set(cells.groups[chosen].tolist())),
                        verdicts=_shares(np.array([verdicts[slide] for slide in slides]), groups, VERDICTS),
                        labels=_shares(labels[chosen], cells.groups[chosen], LABELS),
                    )
                )
    return tuple(found)


def verdicts_table(rows: Sequence[Answers]) -> str:
    """The rows as a Markdown table."""
    headings = ("laboratory", "judged by", "truth", "slides", *VERDICTS, "cells, groups", *LABELS)
    lines = [headings, ("---",) * len(headings)]
    for row in rows:
        verdicts = (_words(row.verdicts.get(name), row.slides) for name in VERDICTS)
        labels = (_words(row.labels.get(name), row.cells) for name in LABELS)
        slides = str(row.slides) if row.slides else ""
        counts = f"{row.cells}, {row.groups}"
        lines.append((laboratory_name(row.laboratory), row.package, row.truth, slides, *verdicts, counts, *labels))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _slides_of(cells: LabelledCells, own: NDArray[np.bool_], *, blasts: bool) -> tuple[list[str], NDArray[np.str_]]:
    """Slides of several cells with ALL cells, or without, and the group of each."""
    names, groups = [], []
    for slide in np.unique(cells.slides[own]):
        rows = own & (cells.slides == slide)
        if rows.sum() >= LEAST_CELLS and bool(cells.labels[rows].any()) == blasts:
            names.append(str(slide))
            groups.append(str(cells.groups[rows][0]))
    return names, np.array(groups, np.str_)


def _shares(said: NDArray[np.str_], groups: NDArray[np.str_], names: Sequence[str]) -> dict[str, Estimate]:
    shares = {name: share_over_groups(said == name, groups) for name in names}
    return {name: share for name, share in shares.items() if share is not None}


def _words(share: Estimate | None, count: int) -> str:
    if share is None:
        return ""
    bounds = "" if np.isnan(share.low) else f" ({share.low:.2f} to {share.high:.2f})"
    return f"{round(share.value * count)}: {share.value:.2f}{bounds}"
