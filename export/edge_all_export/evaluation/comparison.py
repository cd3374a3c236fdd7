"""Two evaluations side by side, paired: the same cells, the same resamples.

Two intervals that overlap do not show that two models are equally good. On the same cells most of the chance is shared
and cancels in the difference, so the difference itself gets the interval.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_all.errors import InputError, InputNotFoundError, UsageError
from edge_all.results import INTENDED_USE
from edge_all_export.evaluation.assessment import EVALUATION_SCHEMA
from edge_all_export.evaluation.bootstrap import Figure, estimate
from edge_all_export.evaluation.grouping import merged_groups
from edge_all_export.evaluation.metrics import METRICS, ORDERING, measure
from edge_all_export.evaluation.predictions import Predictions
from edge_all_export.evaluation.slides import slide_predictions

__all__ = [
    "COMPARISON_SCHEMA",
    "Comparison",
    "Contestant",
    "PairedFigure",
    "PairedLevel",
    "PairedOrdering",
    "compare",
    "read_contestant",
]

COMPARISON_SCHEMA = 1
"""Raised whenever an older reader could misread a newer file."""


@dataclass(frozen=True, slots=True, eq=False)
class Contestant:
    """One side of a comparison.

    Attributes:
        name: of what was judged.
        model: what judged.
        predictions: its predictions.
        cutoff: probability from which on it calls a cell ALL.
        resamples, seed: of the bootstrap behind its own figures.
    """

    name: str
    model: dict[str, Any]
    predictions: Predictions
    cutoff: float
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class PairedFigure:
    """One figure of both sides on the shared samples, and the difference second minus first with its interval."""

    first: Figure
    second: Figure
    difference: Figure

    @property
    def resolved(self) -> bool:
        """Whether the interval of the difference excludes zero."""
        low, high = self.difference.low, self.difference.high
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True, slots=True)
class PairedOrdering:
    """The comparison of how well slides are ordered.

    Attributes:
        samples, positives, groups: what it rests on.
        figures: by name, at least `edge_all_export.evaluation.metrics.ORDERING`.
    """

    samples: int
    positives: int
    groups: int
    figures: dict[str, PairedFigure]


@dataclass(frozen=True, slots=True)
class PairedLevel(PairedOrdering):
    """The comparison of cells, by all of `edge_all_export.evaluation.metrics.METRICS`.

    Attributes:
        decisions: how many are ``both right``, ``first only``, ``second only``, ``both wrong``.
        flips: how many get another decision.
    """

    decisions: dict[str, int]
    flips: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two evaluations side by side.

    Attributes:
        first, second: the sides, cut down to the shared samples.
        only_first, only_second: samples that the other side lacks, left out.
        cells: the cell level.
        slides: the order of the slides; None where there are no slides.
        changed: the shared samples that get another decision, largest change first.
        notes: what a reader must know.
    """

    first: Contestant
    second: Contestant
    only_first: int
    only_second: int
    cells: PairedLevel
    slides: PairedOrdering | None
    changed: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The content of ``comparison.json``."""
        sides = {
            side: {"name": contestant.name, "model": contestant.model, "cutoff": contestant.cutoff}
            for side, contestant in (("first", self.first), ("second", self.second))
        }
        return {
            "schema": COMPARISON_SCHEMA,
            "kind": "comparison",
            "intended_use": INTENDED_USE,
            **sides,
            "only_first": self.only_first,
            "only_second": self.only_second,
            "difference": "second minus first",
            "resamples": self.first.resamples,
            "seed": self.first.seed,
            "cells": dataclasses.asdict(self.cells),
            "slides": None if self.slides is None else dataclasses.asdict(self.slides),
            "changed": list(self.changed),
            "notes": list(self.notes),
        }


def read_contestant(path: Path) -> Contestant:
    """Read one side from the ``evaluation.json`` that an evaluation wrote.

    Raises:
        InputNotFoundError: no such file.
        InputError: the file is no evaluation, or one of a newer version.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputNotFoundError(f"There is no file {path}.", "Give the evaluation.json of an evaluation.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}).", "Give the evaluation.json of an evaluation.") from error
    if not isinstance(record, dict) or record.get("kind") != "evaluation":
        raise InputError(f"{path} is not an evaluation.", "Give the evaluation.json that `edge-all evaluate` wrote.")
    if record.get("schema") != EVALUATION_SCHEMA:
        raise InputError(
            f"{path} has schema {record.get('schema')}, this version reads {EVALUATION_SCHEMA}.",
            "Evaluate again with this version.",
        )
    try:
        return Contestant(
            name=str(record["name"]),
            model=dict(record["model"]),
            predictions=Predictions.from_json(record["predictions"]),
            cutoff=float(record["cutoff"]),
            resamples=int(record["resamples"]),
            seed=int(record["seed"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error!r}).", "Evaluate again.") from error


def compare(first: Contestant, second: Contestant) -> Comparison:
    """Compare two sides on the samples that both judged, with resamples and seed of the first.

    What one side groups together is one group, whatever the other says.

    Raises:
        UsageError: no sample is shared, or the two disagree about a label or slide.
    """
    place = {sample: row for row, sample in enumerate(second.predictions.sample)}
    shared = [(row, place[sample]) for row, sample in enumerate(first.predictions.sample) if sample in place]
    if not shared:
        raise UsageError(
            f"'{first.name}' and '{second.name}' have no sample in common.", "Evaluate both on the same data."
        )
    rows = np.asarray(shared, np.intp)
    left, right = first.predictions.take(rows[:, 0]), second.predictions.take(rows[:, 1])
    if (left.label != right.label).any():
        odd = left.sample[int(np.argmax(left.label != right.label))]
        raise UsageError(
            f"The two evaluations disagree about the truth of {odd!r}.", "Evaluate both on the same labels."
        )
    if left.slide != right.slide:
        odd = next(name for name, a, b in zip(left.sample, left.slide, right.slide, strict=True) if a != b)
        raise UsageError(f"The two evaluations put {odd!r} in different slides.", "Evaluate both on the same data.")
    numbers = len(set(left.group)), len(set(right.group))
    groups = merged_groups(left.group, right.group)
    left, right = dataclasses.replace(left, group=groups), dataclasses.replace(right, group=groups)

    only_first, only_second = len(first.predictions) - len(left), len(second.predictions) - len(right)
    first, second = dataclasses.replace(first, predictions=left), dataclasses.replace(second, predictions=right)
    left_slides, right_slides = slide_predictions(left), slide_predictions(right)
    return Comparison(
        first=first,
        second=second,
        only_first=only_first,
        only_second=only_second,
        cells=_compare_level(left, right, first, second),
        slides=None
        if left_slides is None or right_slides is None
        else PairedOrdering(**_paired(left_slides, right_slides, first, second, ORDERING)),
        changed=_changed(first, second),
        notes=(*_notes(first, second, only_first, only_second), *_grouping_note(numbers, len(set(groups)))),
    )


def _compare_level(left: Predictions, right: Predictions, first: Contestant, second: Contestant) -> PairedLevel:
    label = left.label
    called = left.probability >= first.cutoff, right.probability >= second.cutoff
    hits = tuple(call == (label == 1) for call in called)
    return PairedLevel(
        **_paired(left, right, first, second, tuple(METRICS)),
        decisions={
            "both right": int((hits[0] & hits[1]).sum()),
            "first only": int((hits[0] & ~hits[1]).sum()),
            "second only": int((~hits[0] & hits[1]).sum()),
            "both wrong": int((~hits[0] & ~hits[1]).sum()),
        },
        flips=int((called[0] != called[1]).sum()),
    )


def _paired(
    left: Predictions, right: Predictions, first: Contestant, second: Contestant, names: Sequence[str]
) -> dict[str, Any]:
    """The fields of `PairedOrdering`, with these figures."""
    label = left.label
    parts = ("first", "second", "difference")

    def figures_of(rows: NDArray[np.intp]) -> dict[str, float]:
        a = measure(label[rows], left.probability[rows], first.cutoff)
        b = measure(label[rows], right.probability[rows], second.cutoff)
        return {
            f"{part}.{name}": value
            for name in names
            for part, value in zip(parts, (a[name], b[name], b[name] - a[name]), strict=True)
        }

    relevant = {
        f"{part}.{name}": rows
        for part in parts
        for name, rows in (("sensitivity", label == 1), ("specificity", label == 0))
    }
    found = estimate(
        left.group,
        figures_of,
        relevant=relevant,
        # A difference is no share: where it is zero throughout, no Wilson interval stands in for it.
        proportions=frozenset(f"{part}.{name}" for part in parts[:2] for name in names if METRICS[name].proportion),
        resamples=first.resamples,
        seed=first.seed,
    )
    return {
        "samples": len(left),
        "positives": int(label.sum()),
        "groups": len(set(left.group)),
        "figures": {name: PairedFigure(*(found[f"{part}.{name}"] for part in parts)) for name in names},
    }


def _changed(first: Contestant, second: Contestant) -> tuple[dict[str, Any], ...]:
    left, right = first.predictions, second.predictions
    flipped = np.flatnonzero((left.probability >= first.cutoff) != (right.probability >= second.cutoff))
    by_change = flipped[np.argsort(-np.abs(left.probability - right.probability)[flipped], kind="stable")]
    return tuple(
        {
            "sample": left.sample[row],
            "source": left.source[row],
            "group": left.group[row],
            "label": int(left.label[row]),
            "first": round(float(left.probability[row]), 6),
            "second": round(float(right.probability[row]), 6),
        }
        for row in by_change
    )


def _notes(first: Contestant, second: Contestant, only_first: int, only_second: int) -> tuple[str, ...]:
    notes = []
    if only_first or only_second:
        notes.append(
            f"{only_first} sample(s) of '{first.name}' and {only_second} of '{second.name}' lack their counterpart and "
            "are left out."
        )
    if first.cutoff != second.cutoff:
        notes.append(f"Each side decides at its own cut-off: {first.cutoff:g} and {second.cutoff:g}.")
    return tuple(notes)


def _grouping_note(numbers: tuple[int, int], merged: int) -> tuple[str, ...]:
    if numbers == (merged, merged):
        return ()
    note = (
        f"The two evaluations group the cells differently, in {numbers[0]} and {numbers[1]} groups; what either holds "
        f"together is one group here, which leaves {merged}."
    )
    return (note,)
