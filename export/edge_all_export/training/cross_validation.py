"""Grouped cross-validation: every cell is judged once, by a network that saw nothing of its block."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edge_all.errors import UsageError
from edge_all.files.atomic import atomic_file, write_atomically
from edge_all_export.crops import CropStore
from edge_all_export.datasets.samples import Sample
from edge_all_export.run_folder import TrainingRunFolder, write_json
from edge_all_export.splitting.leaks import join_copies
from edge_all_export.splitting.splits import Split, assign_folds, fold_splits, require_both_classes
from edge_all_export.training.conduct import Conduct
from edge_all_export.training.configuration import TrainingConfig
from edge_all_export.training.earlier_run import earlier_network, require_weights
from edge_all_export.training.failures import told_failures
from edge_all_export.training.run import TrainingRun, open_run, train
from edge_all_export.watching import Watcher

__all__ = ["cross_validate", "train_on_data"]


def cross_validate(
    config: TrainingConfig,
    samples: Sequence[Sample],
    folder: Path,
    *,
    folds: int = 5,
    crops: CropStore | None = None,
    conduct: Conduct = Conduct(),  # noqa: B008 - frozen
) -> tuple[TrainingRun, ...]:
    """Train one network a fold, and gather the held-out predictions.

    Writes a `edge_all_export.run_folder.TrainingRunFolder.fold` for each run, and of all cells the predictions (as a
    run's, with a column ``fold``) and the features (with an array ``folds``).

    Args:
        config: recipe.
        samples: all labelled cells.
        folder: of the whole.
        folds: number of folds, each of whole blocks.
        crops: of ``samples``, where they are cut already.
        conduct: of each run; resuming goes on where a killed cross-validation stopped.

    Raises:
        EdgeAllError: as `train` and `assign_folds` do.
    """
    crops = crops if crops is not None else _cut(samples, config, folder, conduct.watcher)
    samples = join_copies(samples, crops.exact)
    splits = fold_splits(assign_folds(samples, folds))
    files, runs = TrainingRunFolder(folder), []
    for fold, split in enumerate(splits):
        conduct.watcher.say(f"Fold {fold + 1} of {len(splits)}, in {files.fold(fold).path}")
        runs.append(
            train(
                config.changed(weights=earlier_network(config.weights, fold)),
                samples,
                split,
                files.fold(fold).path,
                crops=crops,
                conduct=conduct,
            )
        )
        gather(files, runs)
    return tuple(runs)


def train_on_data(
    config: TrainingConfig,
    samples: Sequence[Sample],
    folder: Path,
    *,
    folds: int,
    hold_out: int = 0,
    every_fold: bool = False,
    conduct: Conduct = Conduct(),  # noqa: B008 - frozen
) -> tuple[TrainingRun, ...]:
    """Train as ``edge-all train`` does: hold out one fold, or each in turn, or nothing.

    Args:
        config: recipe.
        samples: all labelled cells.
        folder: of the run, or of the whole cross-validation.
        folds: number of folds; 0 trains on everything.
        hold_out: the fold that is held out, from 0.
        every_fold: train once for each fold instead of for one alone.
        conduct: as in `train`.

    Raises:
        EdgeAllError: as `train` and `assign_folds` do.
        UsageError: there is no such fold.
    """
    require_weights(config.weights)
    require_both_classes(samples)
    if folds and hold_out >= folds:
        raise UsageError(f"Of {folds} folds, fold {hold_out} cannot be held out.", f"Give 0 to {folds - 1}.")
    first = config.changed(weights=earlier_network(config.weights, hold_out if folds else None))
    open_run(TrainingRunFolder(folder).fold(0).path if every_fold else folder, first, resume=conduct.resume)
    if every_fold:
        return cross_validate(config, samples, folder, folds=folds, conduct=conduct)
    crops = _cut(samples, config, folder, conduct.watcher)
    samples = join_copies(samples, crops.exact)
    everything = Split(tuple(range(len(samples))), ())
    split = fold_splits(assign_folds(samples, folds))[hold_out] if folds else everything
    return (train(first, samples, split, folder, crops=crops, conduct=conduct),)


def _cut(samples: Sequence[Sample], config: TrainingConfig, folder: Path, watcher: Watcher) -> CropStore:
    with told_failures(folder):
        return CropStore.cut(
            samples, config.spec, lambda done, total: watcher.advance("Cutting the crops", done, total)
        )


def gather(files: TrainingRunFolder, runs: Sequence[TrainingRun]) -> None:
    """Join the held-out predictions and features of the folds finished so far."""
    header: list[str] = []
    rows: list[list[str]] = []
    ids, features, numbers = [], [], []
    for fold, run in enumerate(runs):
        with run.files.predictions.open(newline="", encoding="utf-8") as file:
            header, *found = csv.reader(file)
        rows.extend([*row, str(fold)] for row in found)
        with np.load(run.files.features) as archive:
            ids.append(archive["ids"])
            features.append(archive["features"])
        numbers.append(np.full(len(found), fold))
    table = io.StringIO(newline="")
    csv.writer(table).writerows([[*header, "fold"], *rows])
    write_atomically(files.predictions, table.getvalue().encode())
    with atomic_file(files.features) as file:
        np.savez(file, ids=np.concatenate(ids), features=np.concatenate(features), folds=np.concatenate(numbers))
    write_json(files.figures, [run.figures for run in runs])
