"""The held-out cells of a training run, dealt to calibration and gate, or all for calibration."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from edge_all.errors import UsageError
from edge_all.preprocessing import PreprocessingSpec
from edge_all.results import RgbImage
from edge_all_calibration.labelled_cells.cells import LabelledCells, without_copies
from edge_all_calibration.releasing.release import CellParts
from edge_all_export.crops import extract_crops
from edge_all_export.datasets.samples import Sample
from edge_all_export.run_folder import TrainingRunFolder
from edge_all_export.splitting.leaks import join_copies
from edge_all_export.splitting.recorded_split import RecordedSplit
from edge_all_export.splitting.splits import assign_folds

__all__ = ["parts_of_run"]

ENOUGH = 15
"""Cells of each class that calibration and gate should have at least."""
FEW = 4
"""Of a small set so many will do, and the card says so; with fewer a gate would prove nothing at all."""
FEW_CELLS = (
    "Calibration and gate had {} and {} cells, of one class only {}: too few for more than a guess at temperature, "
    "thresholds and what the gate says."
)
SHARED_BLOCKS = (
    "Calibration and gate used different fields of the held-out part, some of which may be neighbours from one "
    "patient; the network was trained on neither."
)


def parts_of_run(
    run: TrainingRunFolder, samples: Sequence[Sample], spec: PreprocessingSpec, test: LabelledCells | None = None
) -> tuple[CellParts, tuple[str, ...]]:
    """Cut the cells of a run: those trained on, and those held out, half for calibration and half for the gate.

    Sides are told by block, not by cell: a newer segmentation may find a few cells more or fewer in the same images.

    Args:
        run: its split says which blocks were held out.
        samples: all labelled cells of the data that it was trained on.
        spec: how its crops are cut.
        test: cells from elsewhere for the gate; then all that were held out are for calibration.

    Returns:
        The parts, and what a card must say of them.

    Raises:
        InputError: the split is missing or damaged.
        UsageError: the data are not those of the run, or too little was held out.
        ImageError: an image is no longer readable.
    """
    split = RecordedSplit.read(run.split)
    trained, held_out = split.train.blocks, split.held_out.blocks
    crops = extract_crops(samples, spec)
    # As training does: copies of one picture under two names belong to one block.
    samples = join_copies(samples, crops)
    unseen = [index for index, sample in enumerate(samples) if sample.block in held_out - trained]
    seen = [index for index, sample in enumerate(samples) if sample.block in trained]
    if not held_out:
        raise UsageError(
            f"The run {run.path} held nothing out, so nothing can be calibrated or tested.",
            "Train with a held-out part, or give --cells and --test-cells.",
        )
    if not unseen or not seen:
        raise UsageError(
            f"The data hold {len(seen)} cells that the run was trained on, and {len(unseen)} that it held out.",
            "Point --data (and --layout) at what the run was trained on.",
        )
    notes: tuple[str, ...] = ()
    if test is None:
        samples, halves, notes = _dealt(samples, unseen)
        calibration, test = (
            _labelled([index for index, half in zip(unseen, halves, strict=True) if half == side], samples, crops)
            for side in (0, 1)
        )
        test = without_copies(test, calibration)
    else:
        calibration = _labelled(unseen, samples, crops)
    few = min(int(np.bincount(part.labels.astype(np.intp), minlength=2).min()) for part in (calibration, test))
    if few < ENOUGH:
        notes = (*notes, FEW_CELLS.format(len(calibration), len(test), few))
    return CellParts(calibration, test, _labelled(seen, samples, crops)), notes


def _dealt(samples: Sequence[Sample], unseen: list[int]) -> tuple[Sequence[Sample], list[int], tuple[str, ...]]:
    """The samples, their blocks as they were dealt; the half of each unseen one; what a card must say of it.

    Raises:
        UsageError: no division leaves both halves enough of both classes.
    """
    every = frozenset(sample.laboratory for sample in samples)
    whole = _halves([samples[index] for index in unseen], ENOUGH)
    # Thresholds that saw no blast of a laboratory, or a gate that saw all of them, would be worse than neighbouring
    # fields on both sides. And the few ALL cells of all may lie in one block; then every field is dealt by itself.
    lopsided = frozenset[str]() if whole is None else _lopsided([samples[index] for index in unseen], whole)
    for least, divided in (
        (ENOUGH, lopsided),
        (ENOUGH, frozenset()),
        (ENOUGH, every),
        (FEW, frozenset()),
        (FEW, every),
    ):
        dealt = tuple(
            dataclasses.replace(one, block=one.group) if one.laboratory in divided else one for one in samples
        )
        halves = _halves([dealt[index] for index in unseen], least)
        if halves is not None:
            return dealt, halves, (SHARED_BLOCKS,) if divided else ()
    raise UsageError(
        f"The {len(unseen)} cells that the run held out cannot be divided into halves with {FEW} cells of each "
        "class, not even field by field.",
        "Hold out more (--folds), or give --test-cells, or --cells and --test-cells.",
    )


def _lopsided(unseen: Sequence[Sample], halves: list[int]) -> frozenset[str]:
    """Laboratories of which a half has next to no cell of a class that would do for both."""
    of_both = Counter((sample.laboratory, sample.label) for sample in unseen)
    found = Counter((sample.laboratory, sample.label, half) for sample, half in zip(unseen, halves, strict=True))
    return frozenset(
        laboratory
        for (laboratory, label), count in of_both.items()
        if count >= 2 * FEW and min(found[laboratory, label, half] for half in (0, 1)) < FEW
    )


def _halves(unseen: Sequence[Sample], least: int) -> list[int] | None:
    """The half of each sample, no block in both; None where a half would have fewer than ``least`` of a class."""
    try:
        halves = assign_folds(unseen, 2).tolist()
    except UsageError:
        return None
    found = Counter((half, sample.label) for half, sample in zip(halves, unseen, strict=True))
    return halves if all(found[half, label] >= least for half in (0, 1) for label in (0, 1)) else None


def _labelled(indices: list[int], samples: Sequence[Sample], crops: RgbImage) -> LabelledCells:
    """Some of the samples as a cell set: the block is the group, the field or patient the slide."""
    chosen = [samples[index] for index in indices]
    return LabelledCells(
        crops[indices],
        np.array([sample.label == 1 for sample in chosen], np.bool_),
        np.array([sample.block for sample in chosen], np.str_),
        np.array([sample.group for sample in chosen], np.str_),
        np.array([sample.laboratory for sample in chosen], np.str_),
    )
