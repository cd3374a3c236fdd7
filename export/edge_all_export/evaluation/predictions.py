"""What an evaluation works on: who was judged, what is true, and what the network said."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.classification.decision_rule import labels_of
from edge_all.errors import InputError, InputNotFoundError, UsageError
from edge_all.files.atomic import write_atomically
from edge_all.model.card import Band
from edge_all.results import CellLabel

__all__ = ["COLUMNS", "Predictions", "read_csv", "write_csv"]

COLUMNS = ("sample", "source", "group", "slide", "label", "probability")
"""Columns of a predictions file; ``out_of_distribution`` and ``fold`` may follow."""
SCORE, FOLD = "out_of_distribution", "fold"


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """One row a judged cell, all columns of one length n.

    Attributes:
        sample: names, each once; by them two evaluations are paired.
        source: the data set that the cell is from.
        group: what must not be torn apart when resampling: a patient, or where none is known a block of neighbouring
            fields. The same name in two sources is the same group (ALL-IDB2 is cut out of ALL-IDB1).
        slide: the slide that the cell is from; empty where it belongs to none.
        label: ``int64 [n]``, 1 is ALL.
        probability: ``float64 [n]`` of ALL.
        out_of_distribution: ``float64 [n]``, 1.0 being the limit above which a cell goes to review; None where the
            network offers no such score.
        fold: of a cross-validation, by whose network the cell was judged; None where there are no folds.

    Raises:
        UsageError: columns of unequal length, no row, a name twice, a label that is not 0 or 1, a probability outside
            0 to 1, a row without a group, or a slide in two groups.
    """

    sample: tuple[str, ...]
    source: tuple[str, ...]
    group: tuple[str, ...]
    slide: tuple[str, ...]
    label: NDArray[np.int64]
    probability: NDArray[np.float64]
    out_of_distribution: NDArray[np.float64] | None = None
    fold: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        columns: list[Any] = [self.source, self.group, self.slide, self.label, self.probability]
        columns += [column for column in (self.out_of_distribution, self.fold) if column is not None]
        if not self.sample:
            raise UsageError("There is no prediction to evaluate.", "Give at least one labelled, judged sample.")
        if any(len(column) != len(self.sample) for column in columns):
            raise UsageError("The columns of the predictions differ in length.", "Give every sample every column.")
        if len(set(self.sample)) != len(self.sample):
            seen: set[str] = set()
            twice = next(name for name in self.sample if name in seen or seen.add(name))  # type: ignore[func-returns-value]
            raise UsageError(f"The sample {twice!r} occurs twice.", "Give every sample one row and its own name.")
        if not np.isin(self.label, (0, 1)).all():
            raise UsageError("A label is neither 0 nor 1.", "Label ALL cells 1 and all others 0.")
        if not ((self.probability >= 0) & (self.probability <= 1)).all():
            worst = int(np.argmin((self.probability >= 0) & (self.probability <= 1)))
            raise UsageError(
                f"The probability of {self.sample[worst]!r} is {self.probability[worst]}.",
                "Give probabilities between 0 and 1 (of ALL), not logits.",
            )
        if not all(self.group):
            raise UsageError(
                f"The sample {self.sample[self.group.index('')]!r} has no group.",
                "Name its patient, or the field it is from; without groups the intervals would be too narrow.",
            )
        group_of: dict[str, str] = {}
        for slide, group in zip(self.slide, self.group, strict=True):
            if slide and group_of.setdefault(slide, group) != group:
                raise UsageError(
                    f"The slide {slide!r} lies in the groups {group_of[slide]!r} and {group!r}.",
                    "Put all cells of a slide in one group.",
                )

    def __len__(self) -> int:
        return len(self.sample)

    def take(self, rows: NDArray[np.intp]) -> Predictions:
        """The rows with these indices, each at most once."""
        return Predictions(
            tuple(self.sample[row] for row in rows),
            tuple(self.source[row] for row in rows),
            tuple(self.group[row] for row in rows),
            tuple(self.slide[row] for row in rows),
            self.label[rows],
            self.probability[rows],
            None if self.out_of_distribution is None else self.out_of_distribution[rows],
            None if self.fold is None else tuple(self.fold[row] for row in rows),
        )

    def decisions(self, band: Band) -> tuple[CellLabel, ...]:
        """What the runtime decides with this band; a cell out of distribution is indeterminate whatever its value."""
        return tuple(labels_of(self.probability, self.out_of_distribution, band).tolist())

    def to_json(self) -> dict[str, Any]:
        """The columns as lists."""
        record: dict[str, Any] = {name: list(getattr(self, name)) for name in COLUMNS[:4]}
        record["label"] = self.label.tolist()
        record["probability"] = [round(value, 7) for value in self.probability.tolist()]
        if self.out_of_distribution is not None:
            record[SCORE] = [
                None if np.isnan(value) else round(value, 5) for value in self.out_of_distribution.tolist()
            ]
        if self.fold is not None:
            record[FOLD] = list(self.fold)
        return record

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Predictions:
        """The inverse of `to_json`."""
        scores, folds = record.get(SCORE), record.get(FOLD)
        return cls(
            tuple(record["sample"]),
            tuple(record["source"]),
            tuple(record["group"]),
            tuple(record["slide"]),
            np.asarray(record["label"], np.int64),
            np.asarray(record["probability"], np.float64),
            None if scores is None else np.asarray(scores, np.float64),
            None if folds is None else tuple(folds),
        )


def read_csv(path: Path) -> Predictions:
    """Read a predictions file: a header line with `COLUMNS`, in any order, then a row a cell.

    The table that a training run or a cross-validation leaves is read too: it has a column ``block`` and none
    ``slide``. The block, a run of neighbouring fields that may be one patient, is then the group, and what it calls the
    group, the field or patient, is the slide.

    Raises:
        InputNotFoundError: no such file.
        InputError: not text, a missing column, or a value that is no number; the message names the line.
        UsageError: the rows contradict each other, see `Predictions`.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            names = tuple(reader.fieldnames or ())
            rows = [(reader.line_num, {name: row[name] or "" for name in names}) for row in reader]
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no file {path}.", "Check the path of the predictions.") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as a table ({error}).", "Give a CSV file in UTF-8.") from error
    if "slide" not in names and "block" in names:
        rows = [(line, _from_training(row)) for line, row in rows]
        names = (*names, "slide")
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}.",
            f"Its first line must name the columns {','.join(COLUMNS)} (and may name {SCORE} and {FOLD}).",
        )
    label = _numbers(path, rows, "label")
    wrong = np.flatnonzero(~np.isin(label, (0, 1)))
    if len(wrong):
        raise InputError(
            f"{path}, line {rows[wrong[0]][0]}: the label is neither 0 nor 1.", "Label ALL cells 1, all others 0."
        )
    return Predictions(
        tuple(row["sample"] for _, row in rows),
        tuple(row["source"] for _, row in rows),
        tuple(row["group"] for _, row in rows),
        tuple(row["slide"] for _, row in rows),
        label.astype(np.int64),
        _numbers(path, rows, "probability"),
        _numbers(path, rows, SCORE, empty="nan") if SCORE in names else None,
        tuple(row[FOLD] for _, row in rows) if FOLD in names else None,
    )


def _from_training(row: dict[str, str]) -> dict[str, str]:
    return {**row, "group": row["block"], "slide": row.get("group", "")}


def _numbers(path: Path, rows: list[tuple[int, dict[str, str]]], name: str, empty: str = "") -> NDArray[np.float64]:
    values = []
    for line, row in rows:
        try:
            values.append(float(row[name] or empty))
        except ValueError as error:
            raise InputError(
                f"{path}, line {line}: {name} is {row[name]!r}, not a number.", "Correct that line."
            ) from error
    return np.asarray(values, np.float64)


def write_csv(predictions: Predictions, path: Path) -> None:
    """Write a predictions file that `read_csv` reads back.

    Raises:
        OutputError: the file cannot be written.
    """
    record = predictions.to_json()
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(record)
    writer.writerows(zip(*record.values(), strict=True))
    write_atomically(path, stream.getvalue().encode())
