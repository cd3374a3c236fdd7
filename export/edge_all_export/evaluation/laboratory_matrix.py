"""Trained on these laboratories, judged on that one: the matrix of what a classifier is worth where it never was.

A row is a training run, a column a laboratory. Of a laboratory that the run was trained on only blocks count that it
held out; where it was left out, all its cells do. Intervals are over groups (patients, or blocks of neighbouring
fields), by bootstrap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import InputError, UsageError
from edge_all.files.atomic import write_atomically
from edge_all.results import INTENDED_USE
from edge_all.wording.laboratories import laboratory_name
from edge_all_calibration.figures.intervals import Estimate, bootstrap
from edge_all_calibration.figures.measures import auc
from edge_all_calibration.probability.left_out_alarms import LeftOutAlarms
from edge_all_export.datasets.laboratories import laboratories_of
from edge_all_export.datasets.samples import Sample
from edge_all_export.evaluation.bootstrap import share_over_groups
from edge_all_export.evaluation.judging import judge_with_keras, of_unseen_blocks, unseen_samples
from edge_all_export.evaluation.metrics import CUTOFF
from edge_all_export.evaluation.predictions import Predictions
from edge_all_export.evaluation.slides import SLIDE_SCORE, slide_predictions
from edge_all_export.run_folder import TrainingRunFolder
from edge_all_export.splitting.recorded_split import RecordedSplit
from edge_all_export.training.configuration import TrainingConfig

__all__ = ["Entry", "Matrix", "Row", "entry_of", "judge_run", "markdown", "read_matrix", "write_matrix"]

MATRIX_FILE, TABLE_FILE = "laboratories.json", "laboratories.md"
NOTHING = "-"
CUTS = (0.05, 0.1, 0.2, 0.3, 0.4, CUTOFF, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)
"""Probabilities from which false alarms are counted: a package calls a cell ALL from its own threshold on."""
EXPLANATION = (
    "AUC with its 95 % interval over groups; of laboratories of one class the share of cells called ALL at a "
    "probability of one half. In bold: the laboratory that the run never saw. Elsewhere the blocks that the run held "
    f"out. The score of a slide: {SLIDE_SCORE}."
)

CUT_EXPLANATION = (
    "Probabilities are the networks' own, before a temperature. A package allows for the last column at its threshold."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One run on one laboratory.

    Attributes:
        cells, blasts, groups, slides: how many it rests on.
        auc: of cells; None where they are of one class.
        slide_auc: of slides of several cells; None likewise.
        sensitivity: share of ALL cells at a probability of one half or more; None without ALL cells.
        false_positives: share of non-ALL cells there; None without non-ALL cells.
        alarms: that share from each of `CUTS` on; empty likewise.
        found: share of ALL cells from each of `CUTS` on; empty without ALL cells.
    """

    cells: int
    blasts: int
    groups: int
    slides: int
    auc: Estimate | None
    slide_auc: Estimate | None
    sensitivity: Estimate | None
    false_positives: Estimate | None
    alarms: tuple[Estimate, ...] = ()
    found: tuple[Estimate, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One run on all laboratories.

    Attributes:
        run: its folder's name.
        left_out: the laboratory that it never saw; None for a run of all.
        entries: by laboratory; those without an unseen cell are missing.
    """

    run: str
    left_out: str | None
    entries: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All runs on all laboratories.

    Attributes:
        laboratories: the columns.
        rows: the runs.
        notes: laboratories that could not be left out, and why.
    """

    laboratories: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def left_out(self) -> dict[str, Entry]:
        """The laboratories left out, each by the run that never saw it."""
        return {
            row.left_out: row.entries[row.left_out]
            for row in self.rows
            if row.left_out is not None and row.left_out in row.entries
        }

    @property
    def left_out_alarms(self) -> tuple[Estimate, ...]:
        """Share of non-ALL cells from each of `CUTS` on, by runs that never saw their laboratory.

        Each laboratory weighs alike.

        Empty where no run left out a laboratory with non-ALL cells.
        """
        known = [entry.alarms for entry in self.left_out.values() if entry.alarms]
        return tuple(
            Estimate(*(float(np.mean([getattr(one, end) for one in at_cut])) for end in ("value", "low", "high")))
            for at_cut in zip(*known, strict=True)
        )

    def _called_all(self, cut: int) -> dict[str, dict[str, float]]:
        """Share of the cells of either class from a cut on, by laboratory left out."""
        return {
            name: {kind: round(cells[cut].value, 4) for kind, cells in _by_class(entry).items()}
            for name, entry in self.left_out.items()
        }

    def to_json(self) -> dict[str, Any]:
        """``laboratories.json``."""
        return {
            "kind": "laboratories",
            "intended_use": INTENDED_USE,
            "what": "rows are runs, columns laboratories; at a probability of one half; 95 % intervals over groups",
            "slide_score": SLIDE_SCORE,
            "laboratories": list(self.laboratories),
            "left_out_false_positives": [
                {"from": cut, **_figure(rate), "by_laboratory": self._called_all(number)}
                for number, (cut, rate) in enumerate(zip(CUTS, self.left_out_alarms, strict=False))
            ],
            "runs": [
                {
                    "run": row.run,
                    "left_out": row.left_out,
                    "judged_on": {name: _entry_json(entry) for name, entry in row.entries.items()},
                }
                for row in self.rows
            ],
            "notes": list(self.notes),
        }


def judge_run(
    run: Path, samples: Sequence[Sample], progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Row:
    """Judge every laboratory by one run.

    Args:
        run: folder of a finished run.
        samples: labelled cells of all laboratories.
        progress: told how many cells are judged, and of how many.

    Raises:
        InputError, ImageError, ModelError: as the run's files and the images have it.
        UsageError: the run has seen every block of them.
    """
    files = TrainingRunFolder(run)
    config = TrainingConfig.read(files.config)
    left = _unseen(files, config, samples)
    judged = 0

    def on_cells(count: int) -> None:
        nonlocal judged
        judged += count
        progress(judged, len(left))

    progress(judged, len(left))
    predictions = judge_with_keras(run, config.spec, left, on_cells).predictions
    names = np.array([sample.laboratory for sample in left])
    return Row(
        run.name,
        config.left_out,
        {name: entry_of(_rows(predictions, np.flatnonzero(names == name))) for name in laboratories_of(left)},
    )


def _unseen(files: TrainingRunFolder, config: TrainingConfig, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """All cells of the laboratory that a run left out, and of the others those that it held out.

    Copies are looked for on either side by itself: of thousands of cells two of different laboratories look so much
    alike now and then, mostly platelets and smudges, that a block of the one would pass for trained on.
    """
    own = [one for one in samples if one.laboratory == config.left_out]
    others = [one for one in samples if one.laboratory != config.left_out]
    if not own:
        return unseen_samples(files, samples, config.spec)[0]
    split = RecordedSplit.read(files.split)
    if any(split.train.having(own)):
        raise UsageError(
            f"{files.path} was trained on cells of {config.left_out}, which it says to have left out.",
            "Evaluate it with the data that it was trained on.",
        )
    return (*of_unseen_blocks(split, own, config.spec), *of_unseen_blocks(split, others, config.spec))


def entry_of(predictions: Predictions) -> Entry:
    """The figures of one laboratory."""
    truth = predictions.label == 1
    slides = slide_predictions(predictions)
    called = predictions.probability >= CUTOFF
    groups = np.asarray(predictions.group)
    return Entry(
        cells=len(truth),
        blasts=int(truth.sum()),
        groups=len(set(predictions.group)),
        slides=0 if slides is None else len(slides.sample),
        auc=_auc(predictions),
        slide_auc=None if slides is None else _auc(slides),
        sensitivity=share_over_groups(called[truth], groups[truth]),
        false_positives=share_over_groups(called[~truth], groups[~truth]),
        alarms=_from_each_cut(predictions.probability[~truth], groups[~truth]),
        found=_from_each_cut(predictions.probability[truth], groups[truth]),
    )


def markdown(matrix: Matrix) -> str:
    """The matrix as tables: cells, slides, and what each cut would do where a run never was."""
    lines = ["# Trained here, judged there", "", INTENDED_USE, ""]
    for title, cell in (("Cells", _cell_words), ("Slides", _slide_words)):
        lines += [f"## {title}", "", "| trained on | " + " | ".join(map(laboratory_name, matrix.laboratories)) + " |"]
        lines.append("|---" * (len(matrix.laboratories) + 1) + "|")
        for row in matrix.rows:
            trained = "all" if row.left_out is None else f"all but {laboratory_name(row.left_out)}"
            words = [_marked(cell(row.entries.get(name)), bold=name == row.left_out) for name in matrix.laboratories]
            lines.append(f"| {trained} | " + " | ".join(words) + " |")
        lines.append("")
    lines += [
        EXPLANATION,
        *_cut_lines(matrix),
        *("" if not matrix.notes else "\n" + note for note in matrix.notes),
        "",
    ]
    return "\n".join(lines)


def _cut_lines(matrix: Matrix) -> list[str]:
    """A table by which thresholds are chosen: the laboratories left out, from each cut on."""
    if not matrix.left_out_alarms:
        return []
    columns = [
        (f"{laboratory_name(name)}, {kind}", cells)
        for name, entry in matrix.left_out.items()
        for kind, cells in _by_class(entry).items()
    ]
    headings = ("probability", *(name for name, _ in columns), "upper bounds of non-ALL, mean")
    rows = [
        (f"{cut:g}", *(_words(cells[number]) for _, cells in columns), f"{rate.high:.3f}")
        for number, (cut, rate) in enumerate(zip(CUTS, matrix.left_out_alarms, strict=True))
    ]
    return [
        "",
        "## Called ALL where the run never was, from each probability on",
        "",
        *(f"| {' | '.join(row)} |" for row in (headings, ("---",) * len(headings), *rows)),
        "",
        CUT_EXPLANATION,
    ]


def _by_class(entry: Entry) -> dict[str, tuple[Estimate, ...]]:
    """The share of a laboratory's cells from each cut on, for the classes that it has."""
    return {kind: cells for kind, cells in (("ALL", entry.found), ("non-ALL", entry.alarms)) if cells}


def read_matrix(file: Path) -> tuple[dict[str, Any], LeftOutAlarms]:
    """A written matrix for a card, and its false alarms in laboratories left out.

    Raises:
        InputError: the file is no such matrix, or says nothing of laboratories left out.
    """
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        of_laboratories = record["kind"] == "laboratories"
        rates = [(float(one["from"]), float(one["high"])) for one in record["left_out_false_positives"]]
        left_out = LeftOutAlarms(tuple(cut for cut, _ in rates), tuple(rate for _, rate in rates))
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        raise _no_matrix(file, repr(error)) from error
    if not of_laboratories:
        raise _no_matrix(file, "it is about something else")
    return record, left_out


def _no_matrix(file: Path, why: str) -> InputError:
    return InputError(
        f"{file} is no matrix of laboratories left out ({why}).",
        "Give laboratories.json of `edge-all evaluate laboratories` with runs that left a laboratory out.",
    )


def write_matrix(matrix: Matrix, folder: Path) -> None:
    """Write ``laboratories.json`` and ``laboratories.md``.

    Raises:
        OutputError: the folder cannot be written.
    """
    text = json.dumps(matrix.to_json(), indent=1, allow_nan=False)
    write_atomically(folder / MATRIX_FILE, text.encode())
    write_atomically(folder / TABLE_FILE, markdown(matrix).encode())


def _rows(predictions: Predictions, chosen: NDArray[np.intp]) -> Predictions:
    return Predictions(
        sample=tuple(predictions.sample[row] for row in chosen),
        source=tuple(predictions.source[row] for row in chosen),
        group=tuple(predictions.group[row] for row in chosen),
        slide=tuple(predictions.slide[row] for row in chosen),
        label=predictions.label[chosen],
        probability=predictions.probability[chosen],
    )


def _auc(predictions: Predictions) -> Estimate | None:
    truth = predictions.label == 1
    if truth.all() or not truth.any():
        return None
    return bootstrap(lambda drawn: auc(predictions.probability[drawn], truth[drawn]), np.asarray(predictions.group))


def _from_each_cut(probability: NDArray[np.float64], groups: NDArray[np.str_]) -> tuple[Estimate, ...]:
    """The share of cells from each of `CUTS` on; no bound rises, whatever chance draws."""
    shares = [share for cut in CUTS if (share := share_over_groups(probability >= cut, groups)) is not None]
    highs = np.minimum.accumulate([share.high for share in shares])
    return tuple(Estimate(share.value, share.low, float(high)) for share, high in zip(shares, highs, strict=True))


def _figure(estimate: Estimate) -> dict[str, float | None]:
    values = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: round(value, 4) if np.isfinite(value) else None for name, value in values.items()}


def _entry_json(entry: Entry) -> dict[str, Any]:
    figures = {name: getattr(entry, name) for name in ("auc", "slide_auc", "sensitivity", "false_positives")}
    counts = {name: getattr(entry, name) for name in ("cells", "blasts", "groups", "slides")}
    return {**counts, **{name: None if value is None else _figure(value) for name, value in figures.items()}}


def _words(estimate: Estimate) -> str:
    bounds = f" ({estimate.low:.2f} to {estimate.high:.2f})" if np.isfinite([estimate.low, estimate.high]).all() else ""
    return f"{estimate.value:.3f}{bounds}"


def _cell_words(entry: Entry | None) -> str:
    if entry is None:
        return NOTHING
    if entry.auc is not None:
        return f"AUC {_words(entry.auc)}, n = {entry.cells}"
    only = entry.false_positives or entry.sensitivity
    return NOTHING if only is None else f"called ALL {_words(only)}, n = {entry.cells}"


def _slide_words(entry: Entry | None) -> str:
    if entry is None or entry.slide_auc is None:
        return NOTHING
    return f"AUC {_words(entry.slide_auc)}, n = {entry.slides}"


def _marked(words: str, *, bold: bool) -> str:
    return f"**{words}**" if bold and words != NOTHING else words
