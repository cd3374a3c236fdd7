"""The held-out cells of a training run, dealt to calibration and gate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_all.errors import InputError, UsageError
from edge_all.preprocessing import PreprocessingSpec
from edge_all_calibration.cells import LabelledCells, without_copies
from edge_all_calibration.release import CellParts
from edge_all_export.crops import extract_crops
from edge_all_export.datasets.samples import Sample
from edge_all_export.splits import assign_folds

__all__ = ["cells_of", "parts_of_run"]

SPLIT_FILE = "split.json"


def parts_of_run(run: Path, samples: Sequence[Sample], spec: PreprocessingSpec) -> CellParts:
    """Cut the cells of a run: those trained on, and those held out, half for calibration and half for the gate.

    Args:
        run: folder of the run; its ``split.json`` says which cells were held out.
        samples: all labelled cells of the data that it was trained on.
        spec: how its crops are cut.

    Raises:
        InputError: the split is missing or damaged.
        UsageError: the data are not those of the run, or too little was held out.
        ImageError: an image is no longer readable.
    """
    sides = _read_split(run / SPLIT_FILE)
    known = {sample.id: sample for sample in samples}
    missing = [name for names in sides.values() for name in names if name not in known]
    if missing:
        raise UsageError(
            f"{len(missing)} cells of the run are not in the data, {missing[0]} among them.",
            "Point --data at the folder that the run was trained on.",
        )
    held_out = [known[name] for name in sides["held_out"]]
    if not held_out:
        raise UsageError(
            f"The run {run} held nothing out, so nothing can be calibrated or tested.",
            "Train with a held-out part, or give --cells and --test-cells.",
        )
    halves = assign_folds(held_out, 2)
    calibration, test = (
        cells_of([sample for sample, half in zip(held_out, halves, strict=True) if half == side], spec)
        for side in (0, 1)
    )
    training = cells_of([known[name] for name in sides["train"]], spec)
    return CellParts(calibration, without_copies(test, calibration), training)


def cells_of(samples: Sequence[Sample], spec: PreprocessingSpec) -> LabelledCells:
    """Cut samples into a cell set. A sample's block is its group, its field or patient its slide."""
    return LabelledCells(
        extract_crops(samples, spec),
        np.array([sample.label == 1 for sample in samples], np.bool_),
        np.array([sample.block for sample in samples], np.str_),
        np.array([sample.group for sample in samples], np.str_),
    )


def _read_split(file: Path) -> dict[str, list[str]]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return {side: [str(name) for name in record[side]["samples"]] for side in ("train", "held_out")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} does not say which cells were held out ({error}).", "Give the folder of a finished run."
        ) from error
